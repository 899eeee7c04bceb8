"""Telemetry's in-memory twins: they keep what was told."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime

from nextstream.domain import tracing
from nextstream.domain.metrics import Counter, Gauge, Histogram, Metric
from nextstream.ports import Fact, SpanKind

_Series = tuple[str, tuple[tuple[str, str], ...]]


class MemoryMetrics:
    """Keeps the values of each series; a histogram's are all that were observed."""

    def __init__(self) -> None:
        self._sums: dict[_Series, float] = defaultdict(float)
        self._seen: dict[_Series, list[float]] = defaultdict(list)
        self.is_serving = False

    def count(self, metric: Counter, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        self._sums[_series(metric, labels)] += amount

    def observe(self, metric: Histogram, value: float, **labels: str) -> None:
        """Add a value to a histogram."""
        self._seen[_series(metric, labels)].append(value)

    def set(self, metric: Gauge, value: float, **labels: str) -> None:
        """Say how much it is now."""
        self._sums[_series(metric, labels)] = value

    def serve(self) -> None:
        """Keep the call."""
        self.is_serving = True

    def close(self) -> None:
        """Keep the call."""
        self.is_serving = False

    def value(self, metric: Metric, **labels: str) -> float:
        """Give a counter's or gauge's value; 0 where nothing was told."""
        return self._sums.get(_series(metric, labels), 0.0)

    def values(self, metric: Histogram, **labels: str) -> list[float]:
        """Give all that was observed."""
        return self._seen.get(_series(metric, labels), [])


def _series(metric: Metric, labels: dict[str, str]) -> _Series:
    """Give the key of a series; raises ValueError for labels that the metric hasn't."""
    if set(labels) != set(metric.labels):
        raise ValueError(f"{metric.name} has the labels {metric.labels}, not {tuple(labels)}")
    return metric.name, tuple(sorted(labels.items()))


@dataclass
class MemorySpan:
    """A step of a trace."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str | None
    kind: SpanKind
    facts: dict[str, Fact] = field(default_factory=dict)
    error: str | None = None

    @property
    def traceparent(self) -> str:
        """Give the span as others name it as their parent."""
        return f"00-{self.trace_id}-{self.span_id}-01"

    def tell(self, **facts: Fact) -> None:
        """Add facts."""
        self.facts |= facts


class MemoryTracer:
    """Keeps the steps that have ended in `spans`."""

    def __init__(self) -> None:
        self.spans: list[MemorySpan] = []
        self._current: ContextVar[MemorySpan | None] = ContextVar("span", default=None)

    @contextmanager
    def span(
        self,
        name: str,
        parent: str | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        **facts: Fact | None,
    ) -> Iterator[MemorySpan]:
        """Keep a step, in the trace of its parent."""
        span = _begin(name, parent or self.context(), kind, facts)
        token = self._current.set(span)
        try:
            yield span
        except Exception as error:
            span.error = type(error).__name__
            raise
        finally:
            self._current.reset(token)
            self.spans.append(span)

    def note(
        self,
        name: str,
        parent: str | None,
        began_at: datetime,  # noqa: ARG002  the port names it
        ended_at: datetime,  # noqa: ARG002  as above
        kind: SpanKind = SpanKind.INTERNAL,
        **facts: Fact | None,
    ) -> None:
        """Keep a step that is over."""
        if parent:
            self.spans.append(_begin(name, parent, kind, facts))

    def context(self) -> str | None:
        """Give the traceparent of the open span."""
        current = self._current.get()
        return current.traceparent if current else None

    def close(self) -> None:
        """Do nothing."""


def _begin(name: str, parent: str | None, kind: SpanKind, facts: dict[str, Fact | None]) -> MemorySpan:
    known = {fact: value for fact, value in facts.items() if value is not None}
    trace_id = tracing.trace_id(parent)
    parent_id = parent.split("-")[2] if trace_id and parent else None
    return MemorySpan(
        name, trace_id or secrets.token_hex(16), secrets.token_hex(8), parent_id, kind, known
    )
