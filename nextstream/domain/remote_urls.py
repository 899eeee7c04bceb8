"""Which URLs a server may fetch files from for others; domain/addresses.py has the addresses."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

from nextstream.errors import BadRequest

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LONGEST = 2048  # characters of a URL
PORTS = {"http": 80, "https": 443}


def is_in(address: str, networks: tuple[Network, ...]) -> bool:
    """Tell whether an IP address is in one of the networks."""
    found = ipaddress.ip_address(address.partition("%")[0])
    return any(found in network for network in networks)


def check(url: str, ports: frozenset[int]) -> SplitResult:
    """Give a URL in parts that may be fetched; raises BadRequest with what is wrong with it.

    Its host's address is checked when there is a connection: a name may lead anywhere, and
    somewhere else the next time.
    """
    if len(url) > LONGEST or any(ord(c) <= 32 or ord(c) == 127 for c in url) or "\\" in url:
        raise BadRequest("The URL has characters that don't belong there, or too many.")
    try:
        parts = urlsplit(url)
        port = PORTS.get(parts.scheme) if parts.port is None else parts.port
    except ValueError as error:
        raise BadRequest("The URL can't be understood.") from error
    if parts.scheme not in PORTS or not parts.hostname:
        raise BadRequest("The URL must start with http:// or https:// and name a host.")
    if parts.username is not None or parts.password is not None:
        raise BadRequest("The URL may hold no name or password.")
    if port not in ports:
        raise BadRequest(f"The URL's port must be one of {', '.join(map(str, sorted(ports)))}.")
    return parts
