"""The rows of all tables."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, fields
from datetime import datetime

from nextstream.domain.accounts import Account
from nextstream.domain.api_keys import ApiKey
from nextstream.domain.sessions import Session
from nextstream.domain.video import Video
from nextstream.domain.webhooks import Delivery, Webhook
from nextstream.ports import AuditEntry, KeyedRequest, OutboxEntry, Purge, Task, Upload, Worker

Key = tuple[str, int, str]  # a piece's video, version and name


@dataclass(frozen=True)
class Turn:
    """What the next piece is chosen by."""

    place: int
    owner_id: str
    priority: int
    rank: int
    cost_s: float = 0.0
    sent_at: datetime | None = None
    not_before: datetime | None = None


@dataclass
class Rows:
    """All that the database holds."""

    videos: dict[str, Video] = field(default_factory=dict)
    pieces: dict[Key, Task] = field(default_factory=dict)
    turns: dict[Key, Turn] = field(default_factory=dict)
    workers: dict[str, Worker] = field(default_factory=dict)
    purges: dict[str, Purge] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    api_keys: dict[str, ApiKey] = field(default_factory=dict)
    audit: list[AuditEntry] = field(default_factory=list)
    outbox: list[OutboxEntry] = field(default_factory=list)
    webhooks: dict[str, Webhook] = field(default_factory=dict)
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    claimed: dict[str, datetime] = field(default_factory=dict)  # webhooks, until when
    rung: dict[str, datetime] = field(default_factory=dict)  # webhooks, until when
    keyed_requests: dict[tuple[str, str], KeyedRequest] = field(default_factory=dict)
    cursors: dict[str, int] = field(default_factory=dict)

    def copy(self) -> Rows:
        """Copy the tables; the rows are frozen."""
        return Rows(*(copy(getattr(self, table.name)) for table in fields(self)))
