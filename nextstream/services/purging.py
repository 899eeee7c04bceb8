"""Removing from storage what nobody needs any more, also what a late worker still writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from nextstream.domain import paths
from nextstream.domain.video import Video
from nextstream.errors import NextStreamError
from nextstream.ports import Platform, Purge, Transaction
from nextstream.services import leads

log = structlog.get_logger()

# Seconds after a sweep until the next, which finds what a worker wrote that had stood still.
SWEEPS_AFTER_S = (30.0, 600.0)
AT_ONCE = 100
# No purge is begun later in a look: other upkeep waits for it, or a user's request.
LOOK = timedelta(seconds=2)
REFUSED_S = 600.0  # until the next try of what the storage refuses to remove


def add_encode(platform: Platform, tx: Transaction, video: Video, after_s: float = 0) -> None:
    """Let what an encode stored be removed, after some seconds; the source and added subtitles stay.

    Where no encode is public, the files that name one go with it.
    """
    due_at = platform.clock.now() + timedelta(seconds=after_s)
    if video.public_version is None:
        tx.purges.add(Purge(f"{paths.root(video.id)}/", due_at, keep=paths.SOURCE))
    elif video.public_version != video.version:
        tx.purges.add(Purge(f"{paths.tree(video.id, video.version)}/", due_at))


def keep_encode(tx: Transaction, video: Video) -> bool:
    """Let an encode stay that was to be removed; False where it may be gone, in whole or in part.

    From then on nothing above the encodes is removed: the next one writes there.
    """
    prefixes = (f"{paths.root(video.id)}/", f"{paths.tree(video.id, video.version)}/")
    kept = [tx.purges.remove(prefix) for prefix in prefixes]
    return any(kept)


def add_version(
    platform: Platform, tx: Transaction, video_id: str, version: int, after_s: float
) -> None:
    """Let one version's files be removed, after some seconds."""
    due_at = platform.clock.now() + timedelta(seconds=after_s)
    tx.purges.add(Purge(f"{paths.tree(video_id, version)}/", due_at))


def add_all(platform: Platform, tx: Transaction, video_id: str) -> None:
    """Let all of a video be removed now, its source too."""
    tx.purges.add(Purge(f"{paths.root(video_id)}/", platform.clock.now()))


def sweep(platform: Platform) -> int:
    """Remove what is due, and count the objects; where storage is away, it is due at the next look."""
    count = 0
    for purge in _due(platform):
        try:
            count += _sweep(platform, purge)
        except NextStreamError as error:
            if error.retryable:  # storage or database is away, for all that is due
                raise
            _put_off(platform, purge, error)
    return count


def try_sweep(platform: Platform) -> None:
    """Sweep at once, for who waits for it; what can't be removed now, or from here, goes later."""
    try:
        for purge in _due(platform):
            _sweep(platform, purge)
    except NextStreamError as error:
        log.warning("files are removed later", error=str(error))


def _due(platform: Platform) -> Iterator[Purge]:
    """Give what is due, the oldest first, for as long as a look may last; the next one goes on."""
    began_at = platform.clock.now()
    with platform.database.transaction() as tx:
        due = tx.purges.due(began_at, AT_ONCE)
    for purge in due:
        if platform.clock.now() - began_at >= LOOK:
            return
        yield purge


def _sweep(platform: Platform, purge: Purge) -> int:
    """Note that a purge has begun, from when on nothing of it can be kept, and remove what is there."""
    now = platform.clock.now()
    if not purge.sweeps:
        with platform.database.transaction() as tx:
            if not tx.purges.note_swept(purge, now):
                return 0
        purge = replace(purge, due_at=now, sweeps=1)
    count = _remove(platform, purge)
    with platform.database.transaction() as tx:
        _note_end(tx, purge, now)
    log.info("files removed", prefix=purge.prefix, objects=count)
    return count


def _remove(platform: Platform, purge: Purge) -> int:
    """Remove what was there while the purge was wanted: the next encode may write there from then on."""
    chosen = _chosen(platform, purge)
    with platform.database.transaction() as tx:
        if not tx.purges.postpone(purge, purge.due_at):
            return 0
    if paths.is_public(purge.prefix):  # of one encode: nobody is to be led to it any more
        leads.restore(platform, paths.video_of(purge.prefix))
    return sum(platform.storage.remove(key) for key in chosen)


def _put_off(platform: Platform, purge: Purge, error: NextStreamError) -> None:
    """Let a purge wait that the storage refuses, so that those behind it have their turn."""
    log.error("files can't be removed", prefix=purge.prefix, error=str(error))
    begun = replace(purge, sweeps=max(1, purge.sweeps))
    with platform.database.transaction() as tx:
        tx.purges.postpone(begun, platform.clock.now() + timedelta(seconds=REFUSED_S))


def _note_end(tx: Transaction, purge: Purge, now: datetime) -> None:
    """Note when the next sweep is due, or that it was the last; a purge that took its place stays."""
    if purge.sweeps <= len(SWEEPS_AFTER_S):
        tx.purges.note_swept(purge, now + timedelta(seconds=SWEEPS_AFTER_S[purge.sweeps - 1]))
    elif tx.purges.postpone(purge, purge.due_at):
        tx.purges.remove(purge.prefix)


def _chosen(platform: Platform, purge: Purge) -> list[str]:
    """Give the prefixes to remove: the whole, or each thing directly below it but the one to keep."""
    if purge.keep is None:
        return [purge.prefix]
    below = set()
    for stored in platform.storage.list(purge.prefix):
        name, slash, _ = stored.key.removeprefix(purge.prefix).partition("/")
        if name not in (purge.keep, paths.SUBTITLES):  # which a user gave, too
            below.add(f"{purge.prefix}{name}{slash}")
    return sorted(below)
