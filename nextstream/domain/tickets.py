"""Playback tickets: a signed word in a path that lets whoever has it play one video for a while.

It stands before the path of the playlists, so that relative addresses in them inherit it (RFC 3986
section 5.2), and playlists are the same for every viewer.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from itsdangerous import BadData, URLSafeSerializer

from nextstream.errors import TicketRefused


@dataclass(frozen=True)
class Ticket:
    """What a ticket says: which video, until when, and under which of the video's epochs."""

    video_id: str
    expires_at: datetime
    epoch: int


def write(ticket: Ticket, secret_key: str) -> str:
    """Give the ticket as a word of letters, digits, `-`, `_` and `.`."""
    facts = [ticket.video_id, int(ticket.expires_at.timestamp()), ticket.epoch]
    return str(_signer(secret_key).dumps(facts))


def read(word: str, secret_key: str) -> Ticket:
    """Give the ticket that a word is; raises TicketRefused for what we didn't sign."""
    try:
        video_id, expires_s, epoch = _signer(secret_key).loads(word)
    except (BadData, ValueError, TypeError) as error:
        raise TicketRefused from error
    return Ticket(video_id, datetime.fromtimestamp(expires_s, UTC), epoch)


def check(ticket: Ticket, video_id: str, epoch: int, now: datetime) -> None:
    """Raise TicketRefused for another video's ticket, one whose time is over, and a revoked one."""
    if ticket.video_id != video_id or ticket.epoch != epoch or ticket.expires_at <= now:
        raise TicketRefused


def _signer(secret_key: str) -> URLSafeSerializer:
    """Sign with a key of this purpose alone, so that no other signed word passes for a ticket."""
    return URLSafeSerializer(
        secret_key, salt="nextstream.playback", signer_kwargs={"digest_method": hashlib.sha256}
    )
