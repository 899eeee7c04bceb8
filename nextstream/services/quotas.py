"""How much an account may bring in."""

from __future__ import annotations

from dataclasses import dataclass

from nextstream.domain.access import Action, demand
from nextstream.domain.accounts import Account
from nextstream.errors import QuotaExceeded, TooManyUploads
from nextstream.ports import Platform, Transaction, Usage


@dataclass(frozen=True)
class Quota:
    """What an account may have here: bytes, minutes of video, uploads under way; 0 is any."""

    size_bytes: int
    minutes: int
    uploads: int


def stand(platform: Platform, owner: Account) -> tuple[Quota, Usage]:
    """Give what an account may have here, and what it has; raises InsufficientScope."""
    demand(owner, Action.READ_VIDEO)
    with platform.database.transaction() as tx:
        return _of(platform, tx, owner.id), tx.uploads.usage(owner.id)


def check(platform: Platform, tx: Transaction, owner_id: str, size_bytes: int | None) -> None:
    """Raise QuotaExceeded or TooManyUploads where an upload of this size is too much for its owner.

    What the transaction then adds is counted by the next one that asks: two can't share the rest.
    """
    quota = _of(platform, tx, owner_id)
    if quota == Quota(0, 0, 0):
        return
    usage = tx.uploads.usage(owner_id)
    if quota.uploads and usage.uploads >= quota.uploads:
        raise TooManyUploads
    if quota.size_bytes and usage.size_bytes + (size_bytes or 1) > quota.size_bytes:
        raise QuotaExceeded
    if quota.minutes and usage.duration_s >= quota.minutes * 60:
        raise QuotaExceeded


def room_bytes(platform: Platform, tx: Transaction, owner_id: str) -> int:
    """Give the bytes that an owner may still bring in, at most the largest file's."""
    most, allowed = platform.settings.upload_max_bytes, _of(platform, tx, owner_id).size_bytes
    if not allowed:
        return most
    return max(0, min(allowed - tx.uploads.usage(owner_id).size_bytes, most))


def _of(platform: Platform, tx: Transaction, owner_id: str) -> Quota:
    """Give what an operator has allowed an account, and else what all may have."""
    settings, owner = platform.settings, tx.accounts.get(owner_id)
    if owner is None:  # a workbench has none
        return Quota(settings.quota_bytes, settings.quota_minutes, settings.quota_uploads)
    return Quota(
        settings.quota_bytes if owner.quota_bytes is None else owner.quota_bytes,
        settings.quota_minutes if owner.quota_minutes is None else owner.quota_minutes,
        settings.quota_uploads if owner.quota_uploads is None else owner.quota_uploads,
    )
