"""Who may play a video: by its visibility, or by a ticket that its owner gave away."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

import structlog
from cachetools import TTLCache

from nextstream.domain import tickets
from nextstream.domain.accounts import Account
from nextstream.domain.events import happen
from nextstream.domain.tickets import Ticket
from nextstream.domain.video import Video, Visibility
from nextstream.errors import VideoNotFound
from nextstream.ports import Access, Database, Platform
from nextstream.services import library

log = structlog.get_logger()

KNOWN_S = 1.0  # a player asks many times a second; a change of rights may take that long to be seen
KNOWN_VIDEOS = 4096

_lock = threading.Lock()
_known: WeakKeyDictionary[Database, TTLCache[str, Access]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Grant:
    """A ticket as it is given away, with its end."""

    video: Video
    word: str
    expires_at: datetime


def grant(platform: Platform, account: Account, video_id: str, lifetime_s: int) -> Grant:
    """Give a ticket to play a video, to its owner and operators; raises VideoNotFound."""
    video = library.get(platform, account, video_id)
    expires_at = platform.clock.now() + timedelta(seconds=lifetime_s)
    ticket = Ticket(video.id, expires_at, video.ticket_epoch)
    return Grant(video, tickets.write(ticket, platform.settings.secret_key), expires_at)


def revoke(platform: Platform, account: Account, video_id: str, request_id: str | None) -> None:
    """Make all tickets of a video worthless, within a second or so; raises VideoNotFound."""
    now = platform.clock.now()
    with library.changing(platform, account, video_id) as (tx, video):
        tx.videos.save(replace(video, ticket_epoch=video.ticket_epoch + 1))
        tx.outbox.add(happen("video.tickets_revoked", video.id, now, request_id, by=account.id))
    log.info("tickets revoked", video_id=video.id)


def admit(platform: Platform, video_id: str, word: str | None, kept: str | None = None) -> Access:
    """Let a player in, by a ticket where there is one, else by the video's visibility.

    A ticket that a browser has `kept` from before is looked at only where one is needed, since it
    comes along unasked. Raises TicketRefused for a ticket that isn't good, and VideoNotFound for a
    private video without one, as if there were none.
    """
    access = _look_up(platform, video_id)
    is_private = access.visibility is Visibility.PRIVATE
    wanted = kept if word is None and is_private else word
    if wanted is not None:
        ticket = tickets.read(wanted, platform.settings.secret_key)
        tickets.check(ticket, video_id, access.ticket_epoch, platform.clock.now())
    elif is_private:
        raise VideoNotFound
    return access


def _look_up(platform: Platform, video_id: str) -> Access:
    """Give what the database said of a video within the last second."""
    with _lock:
        cache = _known.setdefault(platform.database, TTLCache(KNOWN_VIDEOS, KNOWN_S))
        access = cache.get(video_id)
    if access is None:
        with platform.database.reading() as tx:
            access = tx.videos.access(video_id)
        with _lock:
            cache[video_id] = access
    return access
