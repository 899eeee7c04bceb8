"""The videos of an account: finding, following and removing them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog

from nextstream.domain.access import Action, demand, may
from nextstream.domain.accounts import Account
from nextstream.domain.events import happen
from nextstream.domain.video import Video, Visibility
from nextstream.errors import BadRequest, PreconditionFailed, VideoNotFound
from nextstream.ports import Platform, Transaction, Wanted
from nextstream.services import purging

log = structlog.get_logger()


@dataclass(frozen=True)
class Page:
    """Some videos, newest first, and the id to ask for those `before`, or None at the end."""

    videos: tuple[Video, ...]
    next: str | None


def get(
    platform: Platform, account: Account, video_id: str, action: Action = Action.READ_VIDEO
) -> Video:
    """Give a video to its owner or an operator, to read or change; raises VideoNotFound to all others.

    Raises NotAllowed and InsufficientScope to those who may do so to no video.
    """
    with platform.database.reading() as tx:
        return mine(tx, account, video_id, action)


def mine(
    tx: Transaction, account: Account, video_id: str, action: Action = Action.CHANGE_VIDEO
) -> Video:
    """Give a video inside a transaction, for a change of it; raises as `get`."""
    demand(account, action)
    video = tx.videos.get(video_id)
    if not may(account, action, video.owner_id):
        raise VideoNotFound
    return video


def page(
    platform: Platform,
    account: Account,
    wanted: Wanted,
    before: str | None,
    limit: int,
    *,
    everyone: bool = False,
) -> Page:
    """Give the account's videos, or everyone's public ones; an operator sees all in any case."""
    demand(account, Action.READ_VIDEO)
    if not may(account, Action.OPERATE):
        bounds = {"visibility": Visibility.PUBLIC} if everyone else {"owner_id": account.id}
        wanted = replace(wanted, **bounds)
    with platform.database.reading() as tx:
        found = tx.videos.page(wanted, before, limit + 1)
    videos = tuple(found[:limit])
    return Page(videos, videos[-1].id if len(found) > limit else None)


def change(
    platform: Platform,
    account: Account,
    video_id: str,
    wishes: Mapping[str, Any],
    revision: int | None,
    request_id: str | None,
) -> Video:
    """Change a video's title, visibility or priority; only at this `revision` where one is given.

    Raises VideoNotFound, PreconditionFailed, and BadRequest for a title of nothing.
    """
    if "title" in wishes and not wishes["title"].strip():
        raise BadRequest("A title has at least one character.")
    now = platform.clock.now()
    with platform.database.transaction() as tx:
        video = mine(tx, account, video_id)
        if revision not in (None, video.revision):
            raise PreconditionFailed
        changed = tx.videos.save(replace(video, **wishes))
        if "priority" in wishes:
            tx.pieces.prioritise(video.id, changed.priority)
        tx.outbox.add(happen("video.changed", video.id, now, request_id, by=account.id, **wishes))
    return changed


def remove(
    platform: Platform,
    account: Account,
    video_id: str,
    request_id: str | None = None,
    revision: int | None = None,
) -> None:
    """Remove a video with its files and work; raises VideoNotFound, and PreconditionFailed as `change`.

    That its files are to go is stored with the removal, so they do, also where storage is away.
    """
    demand(account, Action.CHANGE_VIDEO)
    event = happen("video.deleted", video_id, platform.clock.now(), request_id, by=account.id)
    with platform.database.transaction() as tx:
        tx.videos.lock(video_id)
        video = mine(tx, account, video_id)
        if revision not in (None, video.revision):
            raise PreconditionFailed
        tx.videos.remove(video.id)
        tx.uploads.drop(video.id)
        purging.add_all(platform, tx, video.id)
        tx.outbox.add(event)
    log.info("video deleted", video_id=video.id)
    purging.try_sweep(platform)
