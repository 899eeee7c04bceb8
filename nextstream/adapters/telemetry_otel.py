"""Traces by OpenTelemetry's SDK, sent over OTLP/HTTP to a collector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from nextstream.ports import Fact, SpanKind

SEND_EVERY_MS = 1000
SEND_TIMEOUT_S = 3.0  # a collector that is away must not hold up a worker that stops
CLOSE_MS = 5000

_KINDS = {
    SpanKind.INTERNAL: trace.SpanKind.INTERNAL,
    SpanKind.SERVER: trace.SpanKind.SERVER,
    SpanKind.CLIENT: trace.SpanKind.CLIENT,
    SpanKind.PRODUCER: trace.SpanKind.PRODUCER,
    SpanKind.CONSUMER: trace.SpanKind.CONSUMER,
}
_propagator = TraceContextTextMapPropagator()


class OtelSpan:
    """A span of OpenTelemetry's."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str | None:
        """Give the span as others name it as their parent."""
        return _write(trace.set_span_in_context(self._span))

    def tell(self, **facts: Fact) -> None:
        """Add facts as attributes."""
        self._span.set_attributes(facts)


class OtelTracer:
    """Sends from a thread of this process, so it is made after the fork.

    `url` is the collector's, as `http://collector:4318`; `ratio` is the share of traces that are kept,
    decided where they begin.
    """

    def __init__(self, url: str, ratio: float = 1.0, exporter: SpanExporter | None = None) -> None:
        sampler = ParentBased(TraceIdRatioBased(ratio))
        self._provider = TracerProvider(sampler, Resource.create({"service.name": "nextstream"}))
        target = f"{url.rstrip('/')}/v1/traces"
        exporter = exporter or OTLPSpanExporter(endpoint=target, timeout=SEND_TIMEOUT_S)
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter, schedule_delay_millis=SEND_EVERY_MS)
        )
        self._tracer = self._provider.get_tracer("nextstream")

    @contextmanager
    def span(
        self,
        name: str,
        parent: str | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        **facts: Fact | None,
    ) -> Iterator[OtelSpan]:
        """Time a block."""
        with self._tracer.start_as_current_span(
            name, _read(parent) if parent else None, _KINDS[kind], _known(facts)
        ) as span:
            yield OtelSpan(span)

    def note(
        self,
        name: str,
        parent: str | None,
        began_at: datetime,
        ended_at: datetime,
        kind: SpanKind = SpanKind.INTERNAL,
        **facts: Fact | None,
    ) -> None:
        """Note a step that is over."""
        if parent:
            began, attributes = _ns(began_at), _known(facts)
            span = self._tracer.start_span(
                name, _read(parent), _KINDS[kind], attributes, start_time=began
            )
            span.end(max(began, _ns(ended_at)))

    def context(self) -> str | None:
        """Give the traceparent of the open span."""
        return _write(None)

    def close(self) -> None:
        """Send what is noted, and stop."""
        self._provider.force_flush(CLOSE_MS)
        self._provider.shutdown()


def _read(traceparent: str) -> Context:
    """Give the context a traceparent names; one that can't be read begins a new trace."""
    return _propagator.extract({"traceparent": traceparent}, Context())


def _write(context: Context | None) -> str | None:
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, context)
    return carrier.get("traceparent")


def _known(facts: Mapping[str, Fact | None]) -> dict[str, Fact]:
    return {name: value for name, value in facts.items() if value is not None}


def _ns(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1000
