"""Webhooks by the Standard Webhooks specification 1.0: who hears of what, and when."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase

from nextstream.domain.events import Event

SECRET_PREFIX = "whsec_"  # noqa: S105  the specification's, and no secret  # nosec B105
SECRET_BYTES = 24

# Seconds until each next try: soon at first, for a receiver that restarts, then ever more slowly,
# a day in all.
PAUSES_S = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 21600, 28800)


class Outcome(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True)
class Webhook:
    """An address that is told of events; `types` are names or patterns, such as `video.*`.

    Without an owner it is the operators', and hears of everything.
    """

    id: str
    owner_id: str | None
    url: str
    secret: str
    types: tuple[str, ...]
    created_at: datetime
    active: bool = True


@dataclass(frozen=True)
class Delivery:
    """One event on its way to one webhook; `event_place` is the event's in the outbox.

    `status` and `error` are the last try's.
    """

    id: str
    webhook_id: str
    event_place: int
    event_id: str
    event_type: str
    created_at: datetime
    due_at: datetime
    outcome: Outcome = Outcome.WAITING
    attempt: int = 0
    status: int | None = None
    error: str | None = None


def new_secret() -> str:
    """Make the secret that a receiver checks signatures with."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def sign(secret: str, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Give the headers that let a receiver know who sent a body, and when."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    timestamp = str(int(at.timestamp()))
    signed = hmac.digest(key, b".".join((message_id.encode(), timestamp.encode(), body)), hashlib.sha256)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }


def hears(webhook: Webhook, event: Event, owner_id: str | None) -> bool:
    """Tell whether a webhook wants an event about something of `owner_id`'s."""
    if not webhook.active or webhook.owner_id not in (None, owner_id):
        return False
    return any(fnmatchcase(event.type, pattern) for pattern in webhook.types)


def pause(attempt: int) -> timedelta | None:
    """Give how long to wait after so many failed tries, or None when it is enough."""
    return timedelta(seconds=PAUSES_S[attempt - 1]) if attempt <= len(PAUSES_S) else None
