"""Watching while the rest is encoding: when a video becomes playable, and playlists that grow.

The playlists are written from the rows at each request, so nobody races to store them: a piece
that is done stays done, and what is published only grows. At the end the stored ones take over.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

import structlog

from nextstream.domain import hls, paths, published
from nextstream.domain.plan import Plan
from nextstream.domain.video import Rendition, State, Video
from nextstream.errors import StaleVideo, VideoNotFound
from nextstream.ports import Database, Platform, Transaction
from nextstream.services import events, measuring

log = structlog.get_logger()

FRESH = timedelta(seconds=1)  # far below a target duration, after which players ask again
KEPT = 1000  # videos
TRIES = 5


@dataclass(frozen=True)
class Growth:
    """What can be played of a video that is encoding."""

    plan: Plan
    version: int
    renditions: tuple[Rendition, ...]
    segments: int
    is_encrypted: bool = False


@dataclass(frozen=True)
class Playlist:
    """A playlist, and the seconds it may be kept for."""

    text: str
    max_age_s: int = 0


_recent: WeakKeyDictionary[Database, dict[str, tuple[datetime, Growth]]] = WeakKeyDictionary()


def note_playable(platform: Platform, video: Video) -> None:
    """Make a video playable if every rendition has its first segment; once, however many ask at once.

    Each piece asks after its own commit, so the last of those that are needed sees all others.
    """
    for _ in range(TRIES):
        with suppress(StaleVideo, VideoNotFound), platform.database.transaction() as tx:
            _note(platform, tx, video)
            return


def _note(platform: Platform, tx: Transaction, seen: Video) -> None:
    video = tx.videos.get(seen.id)
    if video.playable_at or video.version != seen.version or not _look(tx, video):
        return
    video = tx.videos.save(replace(video, playable_at=platform.clock.now()))
    tx.outbox.add(events.about(platform, video, "video.playable"))
    measuring.note_playable(platform, video)
    log.info("video playable", video_id=video.id, version=video.version)


def playlist(platform: Platform, video_id: str, name: str) -> Playlist | None:
    """Give a playlist of a video that is playable and not yet ready; None for any other file."""
    growth = _look_again(platform, video_id)
    text = _write(growth, name) if growth else None
    return Playlist(text, growth.plan.target_s // 2) if growth and text else None


def _write(growth: Growth, name: str) -> str | None:
    plan, folder = growth.plan, f"{paths.version_folder(growth.version)}/"
    if name.removeprefix(folder) == paths.MASTER:
        prefix = "" if name.startswith(folder) else folder
        return hls.master(growth.renditions, plan.rate, prefix, published.estimate(plan))
    for rendition in growth.renditions:
        if name == f"{folder}{rendition.name}/{paths.PLAYLIST}":
            ended = growth.segments == plan.segments
            return hls.media(rendition, plan.target_s, ended=ended, encrypted=growth.is_encrypted)
    return None


def _look_again(platform: Platform, video_id: str) -> Growth | None:
    """Look at the rows, but once a second at the most for all who watch a video."""
    recent, now = _recent.setdefault(platform.database, {}), platform.clock.now()
    known = recent.get(video_id)
    if known and now - known[0] < FRESH:
        return known[1]
    if len(recent) > KEPT:
        recent.clear()
    with platform.database.reading() as tx:
        video = tx.videos.get(video_id)
        growth = _look(tx, video) if video.playable_at else None
    if growth:  # what can't be played yet may be so at once, and is told to be by then
        recent[video_id] = now, growth
    return growth


def _look(tx: Transaction, video: Video) -> Growth | None:
    """Give what is published of a video that is encoding, which may be nothing yet."""
    plan = video.plan
    if plan is None or video.state is not State.ENCODING:
        return None
    heads = tx.pieces.made(video.id, video.version, plan.opening)
    standing = tx.pieces.survey(video.id, video.version)
    done = {name for name, piece in standing.items() if piece.state == "done"}
    count = published.prefix(plan, done, {head.name: len(head.segments) for head in heads})
    renditions = published.begin(plan, heads, count)
    is_encrypted = video.version in video.keys
    return Growth(plan, video.version, renditions, count, is_encrypted) if count else None
