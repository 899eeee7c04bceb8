"""Telemetry that is off: it costs a call of an empty function."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from datetime import datetime

from nextstream.domain.metrics import Counter, Gauge, Histogram
from nextstream.ports import Fact, Span, SpanKind


class NoMetrics:
    """Measures nothing."""

    def count(self, metric: Counter, amount: float = 1, **labels: str) -> None:
        """Do nothing."""

    def observe(self, metric: Histogram, value: float, **labels: str) -> None:
        """Do nothing."""

    def set(self, metric: Gauge, value: float, **labels: str) -> None:
        """Do nothing."""

    def serve(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class NoSpan:
    """A span that nobody notes."""

    traceparent = None

    def tell(self, **facts: Fact) -> None:
        """Do nothing."""


_NOTHING = nullcontext(NoSpan())


class NoTracer:
    """Notes nothing."""

    def span(
        self,
        name: str,  # noqa: ARG002  the port names it
        parent: str | None = None,  # noqa: ARG002  as above
        kind: SpanKind = SpanKind.INTERNAL,  # noqa: ARG002  as above
        **facts: Fact | None,  # noqa: ARG002  as above
    ) -> AbstractContextManager[Span]:
        """Give a block that isn't timed."""
        return _NOTHING

    def note(
        self,
        name: str,
        parent: str | None,
        began_at: datetime,
        ended_at: datetime,
        kind: SpanKind = SpanKind.INTERNAL,
        **facts: Fact | None,
    ) -> None:
        """Do nothing."""

    def context(self) -> str | None:
        """Give no context."""
        return None

    def close(self) -> None:
        """Do nothing."""
