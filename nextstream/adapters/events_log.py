"""Writes events to the log, where no event stream is set up."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from nextstream.domain.events import Event
from nextstream.domain.tracing import trace_id

log = structlog.get_logger()


class LogSink:
    """Logs each event; all arrive."""

    def send(self, events: Sequence[Event]) -> Sequence[str]:
        """Log the events in order."""
        for event in events:
            about = {"id": event.id, "type": event.type, "key": event.key, "data": dict(event.data)}
            # The request that it comes from, in place of the one that writes it to the log.
            origin = {"request_id": event.request_id, "trace_id": trace_id(event.traceparent)}
            known = {name: value for name, value in origin.items() if value is not None}
            log.info("lifecycle event", **about, **known, **_video(event))
        return [event.id for event in events]

    def close(self) -> None:
        """Do nothing: the log stays open."""


def _video(event: Event) -> dict[str, str]:
    about = event.type.partition(".")[0]
    return {"video_id": event.key} if about in ("video", "piece", "task") else {}
