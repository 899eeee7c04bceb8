"""How much an account may bring in."""

from __future__ import annotations

from nextstream.errors import QuotaExceeded, TooManyUploads
from nextstream.ports import Platform, Transaction

UNLIMITED = 0


def check(platform: Platform, tx: Transaction, owner_id: str, size_bytes: int | None) -> None:
    """Raise QuotaExceeded or TooManyUploads where an upload of this size is too much for its owner.

    What the transaction then adds is counted by the next one that asks: two can't share the rest.
    """
    settings = platform.settings
    limits = (settings.quota_bytes, settings.quota_minutes, settings.quota_uploads)
    if not any(limits):
        return
    usage = tx.uploads.usage(owner_id)
    if settings.quota_uploads and usage.uploads >= settings.quota_uploads:
        raise TooManyUploads
    if settings.quota_bytes and usage.size_bytes + (size_bytes or 1) > settings.quota_bytes:
        raise QuotaExceeded
    if settings.quota_minutes and usage.duration_s >= settings.quota_minutes * 60:
        raise QuotaExceeded


def room_bytes(platform: Platform, tx: Transaction, owner_id: str) -> int:
    """Give the bytes that an owner may still bring in, at most the largest file's."""
    settings = platform.settings
    if not settings.quota_bytes:
        return settings.upload_max_bytes
    left = settings.quota_bytes - tx.uploads.usage(owner_id).size_bytes
    return max(0, min(left, settings.upload_max_bytes))
