"""Keeps passwords from being guessed: each failure of a name or an address makes the next one wait.

A name waits whether anyone has it or not, so the waits tell nobody which accounts exist. Sessions
and API keys are untouched: who is logged in stays so while someone else guesses.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager

from nextstream.domain.audit import Origin
from nextstream.domain.limits import Pace
from nextstream.domain.metrics import LOGINS_REFUSED
from nextstream.errors import BadCredentials, TooManyRequests
from nextstream.ports import Platform
from nextstream.services import audit

TOO_MANY = "Too many logins have failed; wait a little and try again."


@contextmanager
def counted(platform: Platform, name: str, origin: Origin) -> Iterator[None]:
    """Let a guess be made in the block, which raises BadCredentials where it was wrong.

    It counts before it is made, so that many at once gain nothing, and no longer once it was right.
    Raises TooManyRequests.
    """
    limits, settings = platform.limits, platform.settings
    longest_s = float(settings.login_wait_max_s)
    of_name, of_address = f"guess:name:{_digest(name)}", f"guess:address:{network(origin.address)}"
    first = limits.begin(of_name, Pace(settings.login_tries, longest_wait_s=longest_s))
    if first.wait_s:
        platform.metrics.count(LOGINS_REFUSED, reason="name_waits")
        raise TooManyRequests(first.wait_s, TOO_MANY)
    second = limits.begin(of_address, Pace(settings.login_address_tries, longest_wait_s=longest_s))
    if second.wait_s:
        limits.refund(of_name)
        platform.metrics.count(LOGINS_REFUSED, reason="address_waits")
        raise TooManyRequests(second.wait_s, TOO_MANY)
    try:
        yield
    except BadCredentials:
        platform.metrics.count(LOGINS_REFUSED, reason="wrong")
        if wait_s := max(first.next_wait_s, second.next_wait_s):
            _note(platform, name, wait_s, origin)
        raise
    except BaseException:  # no guess was made: a database that is away must lock nobody out
        limits.refund(of_name)
        limits.refund(of_address)
        raise
    limits.forget(of_name)
    limits.refund(of_address)


def network(address: str | None) -> str:
    """Give whom to count an address as: of IPv6 its /64, which one household or server has whole."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))


def _note(platform: Platform, name: str, wait_s: float, origin: Origin) -> None:
    with platform.database.transaction() as tx:
        account = tx.accounts.find(name)
        actor_id, result = account.id if account else None, audit.REFUSED
        audit.note(
            platform, tx, "auth.locked_out", origin, actor_id=actor_id, result=result, wait_s=wait_s
        )


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:32]
