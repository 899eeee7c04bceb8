"""Keeps events in memory; the twin of the event sinks for tests and trials."""

from __future__ import annotations

from collections.abc import Sequence

from nextstream.domain.events import Event
from nextstream.errors import EventsUnavailable


class MemorySink:
    """A list of events; `away` makes it unreachable."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.away = False

    def send(self, events: Sequence[Event]) -> Sequence[str]:
        """Keep the events in order."""
        if self.away and events:
            raise EventsUnavailable
        self.events += events
        return [event.id for event in events]

    def close(self) -> None:
        """Do nothing: the events stay."""
