"""Lifecycle events as CloudEvents 1.0 (cloudevents.io), one body for every channel."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

SOURCE = "/nextstream"


@dataclass(frozen=True)
class Event:
    """Something that happened; `key` orders events (a video's id, else a worker's or account's)."""

    id: str
    type: str
    key: str
    time: datetime
    data: Mapping[str, Any] = field(default_factory=dict)
    request_id: str | None = None

    def body(self) -> dict[str, Any]:
        """Give the CloudEvents JSON object."""
        body: dict[str, Any] = {
            "specversion": "1.0",
            "id": self.id,
            "source": SOURCE,
            "type": self.type,
            "subject": self.key,
            "time": self.time.isoformat(),
            "datacontenttype": "application/json",
            "data": dict(self.data),
        }
        return body if self.request_id is None else {**body, "requestid": self.request_id}


def happen(type_: str, key: str, at: datetime, request_id: str | None = None, **data: Any) -> Event:
    """Make an event with an id of its own."""
    return Event(secrets.token_hex(16), type_, key, at, data, request_id)
