"""Lifecycle events as CloudEvents 1.0 (cloudevents.io), one body for every channel."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

SOURCE = "/nextstream"
# What is of use to a video's owner who follows it; the tasks and workers behind it are the operator's.
FOLLOWED = ("video.", "piece.")
TEXT_MAX = 2000  # characters
LIST_MAX = 100
MARK = " ... (cut)"
CUT = "datacut"  # an extension: the event is sent without its data


@dataclass(frozen=True)
class Event:
    """Something that happened; `key` orders events (a video's id, else a worker's or account's)."""

    id: str
    type: str
    key: str
    time: datetime
    data: Mapping[str, Any] = field(default_factory=dict)
    request_id: str | None = None
    traceparent: str | None = None

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
        # Extensions: ours, and the one for Distributed Tracing.
        extensions = {"requestid": self.request_id, "traceparent": self.traceparent}
        return {**body, **{name: value for name, value in extensions.items() if value is not None}}

    def short_body(self) -> dict[str, Any]:
        """Give the JSON object without its data, and a mark that tells so."""
        body = self.body()
        del body["data"], body["datacontenttype"]
        return {**body, CUT: True}


def happen(
    type_: str,
    key: str,
    at: datetime,
    request_id: str | None = None,
    *,
    traceparent: str | None = None,
    **data: Any,
) -> Event:
    """Make an event with an id of its own; what is long in its data is cut, with a mark.

    So no event comes near the megabyte that Kafka takes, whatever an encoder or a stranger wrote.
    `traceparent` names the span that it is a part of.
    """
    return Event(secrets.token_hex(16), type_, key, at, _cut(data), request_id, traceparent)


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= TEXT_MAX else value[: TEXT_MAX - len(MARK)] + MARK
    if isinstance(value, Mapping):
        return {name: _cut(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_cut(each) for each in value[:LIST_MAX]]
    return value
