"""The videos of an account: finding, following and removing them."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any

import structlog
from pydantic import AwareDatetime, Field, TypeAdapter

from nextstream.domain.access import Action, demand, may
from nextstream.domain.accounts import Account
from nextstream.domain.events import happen
from nextstream.domain.video import Video, Visibility
from nextstream.errors import BadRequest, PreconditionFailed, VideoNotFound
from nextstream.ports import Order, Place, Platform, Transaction, Wanted
from nextstream.services import purging

log = structlog.get_logger()

# What a list's `next` may say; a NUL is what PostgreSQL takes in no text.
_Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
_PLACES: dict[Order, TypeAdapter[tuple[str, Any]]] = {
    Order.NEWEST: TypeAdapter(tuple[_Text, AwareDatetime]),
    Order.OLDEST: TypeAdapter(tuple[_Text, AwareDatetime]),
    Order.TITLE: TypeAdapter(tuple[_Text, _Text]),
    Order.LARGEST: TypeAdapter(tuple[_Text, Annotated[int, Field(ge=0, lt=2**63)]]),
}


@dataclass(frozen=True)
class Page:
    """Some videos in their order, and the word to ask for those `before`, or None at the end.

    The word says where the last one stood, so it is good when that is removed or changed.
    """

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


@contextmanager
def changing(platform: Platform, account: Account, video_id: str) -> Iterator[tuple[Transaction, Video]]:
    """Open a transaction with a video that nobody else changes until its end; raises as `get`."""
    demand(account, Action.CHANGE_VIDEO)
    with platform.database.transaction() as tx:
        tx.videos.lock(video_id)
        yield tx, mine(tx, account, video_id)


def page(
    platform: Platform,
    account: Account,
    wanted: Wanted,
    before: str | None,
    limit: int,
    *,
    everyone: bool = False,
) -> Page:
    """Give the account's videos, or everyone's public ones; an operator sees all in any case.

    Raises BadRequest for a `before` that no page of this order has given.
    """
    demand(account, Action.READ_VIDEO)
    place = _read_place(before, wanted.order) if before is not None else None
    if not may(account, Action.OPERATE):
        bounds = {"visibility": Visibility.PUBLIC} if everyone else {"owner_id": account.id}
        wanted = replace(wanted, **bounds)
    with platform.database.reading() as tx:
        found = tx.videos.page(wanted, place, limit + 1)
    videos = tuple(found[:limit])
    return Page(videos, _word(wanted.order.place(videos[-1])) if len(found) > limit else None)


def _word(place: Place) -> str:
    """Give a place as a word that is safe in a query."""
    key = place.key.isoformat() if isinstance(place.key, datetime) else place.key
    return urlsafe_b64encode(json.dumps([place.id, key]).encode()).decode().rstrip("=")


def _read_place(word: str, order: Order) -> Place:
    try:
        video_id, key = _PLACES[order].validate_json(urlsafe_b64decode(word + "=" * (-len(word) % 4)))
        return Place(video_id, key.astimezone(UTC) if isinstance(key, datetime) else key)
    except (ValueError, OverflowError) as error:  # one is a time that UTC has no year for
        raise BadRequest("before: send what the page before gave as next, in the same order.") from error


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
    with changing(platform, account, video_id) as (tx, video):
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
    event = happen("video.deleted", video_id, platform.clock.now(), request_id, by=account.id)
    with changing(platform, account, video_id) as (tx, video):
        if revision not in (None, video.revision):
            raise PreconditionFailed
        tx.videos.remove(video.id)
        tx.uploads.drop(video.id)
        purging.add_all(platform, tx, video.id)
        tx.outbox.add(event)
    log.info("video deleted", video_id=video.id)
    purging.try_sweep(platform)
