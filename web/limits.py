"""Quotas of requests, told in headers (draft-ietf-httpapi-ratelimit-headers-06)."""

from __future__ import annotations

import math

from flask import Response, g

from nextstream.domain.accounts import Caller
from nextstream.domain.limits import Quota, Standing
from nextstream.errors import TooManyRequests
from nextstream.services import guesses
from web import http


def take_from_address(name: str, setting: str) -> None:
    """Count a request of a stranger by its address; raises TooManyRequests."""
    _take(f"quota:{name}:address:{guesses.network(http.origin().address)}", setting)


def take_from_caller(name: str, setting: str, caller: Caller) -> None:
    """Count a request by its API key, else its account; raises TooManyRequests."""
    who = f"key:{caller.key_id}" if caller.key_id else f"account:{caller.id}"
    _take(f"quota:{name}:{who}", setting)


def tell(response: Response) -> Response:
    """Tell in headers where the sender stands in the quota that is nearest its end."""
    found: tuple[Quota, Standing] | None = g.get("quota")
    if found:
        quota, standing = found
        response.headers["RateLimit-Limit"] = str(quota.limit)
        response.headers["RateLimit-Remaining"] = str(standing.remaining)
        response.headers["RateLimit-Reset"] = str(math.ceil(standing.reset_s))
        response.headers["RateLimit-Policy"] = f"{quota.limit};w={quota.window_s}"
    return response


def _take(key: str, setting: str) -> None:
    quota = Quota.parse(setting)
    if quota is None:
        return
    standing = http.platform().limits.take(key, quota)
    nearest: tuple[Quota, Standing] | None = g.get("quota")
    if nearest is None or standing.remaining <= nearest[1].remaining:
        g.quota = quota, standing
    if not standing.allowed:
        raise TooManyRequests(standing.reset_s)
