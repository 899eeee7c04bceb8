"""Telling how the system does: metrics, and traces of single jobs."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from nextstream.domain.metrics import Counter, Gauge, Histogram

Fact = str | int | float | bool


class Metrics(Protocol):
    """Counts and measures; labels are exactly those of the metric. Nothing here ever raises."""

    def count(self, metric: Counter, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        ...

    def observe(self, metric: Histogram, value: float, **labels: str) -> None:
        """Add a value to a histogram."""
        ...

    def set(self, metric: Gauge, value: float, **labels: str) -> None:
        """Say how much it is now."""
        ...

    def serve(self) -> None:
        """Let this process answer Prometheus, if no other one of this machine does; may run twice."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class SpanKind(StrEnum):
    """What a span is to the other side: OpenTelemetry's kinds."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class Span(Protocol):
    """A step of a trace while it lasts."""

    @property
    def traceparent(self) -> str | None:
        """Give the span as others name it as their parent (W3C Trace Context 3.2); None when off."""
        ...

    def tell(self, **facts: Fact) -> None:
        """Add facts to the span."""
        ...


class Tracer(Protocol):
    """Notes the steps of a job across processes. Nothing here ever raises."""

    def span(
        self,
        name: str,
        parent: str | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        **facts: Fact | None,
    ) -> AbstractContextManager[Span]:
        """Time a block, as a child of the traceparent, else of the span that is open in this thread.

        An error that leaves the block is noted.
        """
        ...

    def note(
        self,
        name: str,
        parent: str | None,
        began_at: datetime,
        ended_at: datetime,
        kind: SpanKind = SpanKind.INTERNAL,
        **facts: Fact | None,
    ) -> None:
        """Note a step that is over, such as waiting; nothing without a parent."""
        ...

    def context(self) -> str | None:
        """Give the traceparent of the span that is open in this thread."""
        ...

    def close(self) -> None:
        """Send what is noted, within seconds."""
        ...
