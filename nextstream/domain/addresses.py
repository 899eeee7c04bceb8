"""Which network addresses are the public internet, and which could be our own machines."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

# Addresses that carry an IPv4 address, which may be a private one, or that no server has:
# is_global of Python 3.11 takes some of them for public.
_TRICKS = tuple(
    map(
        ip_network,
        (
            "::ffff:0:0/96",  # IPv4-mapped (RFC 4291, 2.5.5.2)
            "::/96",  # IPv4-compatible (2.5.5.1)
            "64:ff9b::/96",  # NAT64 (RFC 6052)
            "64:ff9b:1::/48",  # NAT64 of one's own (RFC 8215)
            "2002::/16",  # 6to4 (RFC 3056)
            "2001::/32",  # Teredo (RFC 4380)
            "fec0::/10",  # site-local (RFC 3879)
            "192.88.99.0/24",  # 6to4 relays (RFC 7526)
        ),
    )
)


def is_public(address: str) -> bool:
    """Tell whether a connected peer's numeric address lies in the public internet."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        return is_public(str(found.ipv4_mapped))
    if found.is_multicast or found.is_reserved or found.is_unspecified:
        return False
    return found.is_global and not any(found in network for network in _TRICKS)
