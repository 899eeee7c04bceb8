"""Writes events to the log, where no event stream is set up."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from nextstream.domain.events import Event

log = structlog.get_logger()


class LogSink:
    """Logs each event; all arrive."""

    def send(self, events: Sequence[Event]) -> Sequence[str]:
        """Log the events in order."""
        for event in events:
            log.info(
                "lifecycle event", id=event.id, type=event.type, key=event.key, data=dict(event.data)
            )
        return [event.id for event in events]

    def close(self) -> None:
        """Do nothing: the log stays open."""
