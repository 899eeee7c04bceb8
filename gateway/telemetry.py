"""What is measured and traced of every request where it comes in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import structlog

from nextstream.domain import tracing
from nextstream.domain.metrics import GATEWAY_REQUESTS, GATEWAY_SECONDS
from nextstream.ports import Platform, Span, SpanKind
from web import http, telemetry

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

STRANGERS = ("HTTP_TRACEPARENT", "HTTP_TRACESTATE", "HTTP_BAGGAGE")


class Watch:
    """Sees how a request is answered."""

    status = "500"

    def around(self, start_response: StartResponse) -> StartResponse:
        """Give a start_response that is seen."""

        def start(status: str, *rest: Any) -> Any:
            self.status = status[:3]
            return start_response(status, *rest)

        return start


@contextmanager
def watch(platform: Platform, service: str, environ: WSGIEnvironment) -> Iterator[Watch]:
    """Measure a request until its answer begins, and let the service's span be below the gateway's.

    A trace may have begun at a proxy of the operator's own. What strangers say of theirs goes no
    further: they could fill traces of others, or have all of theirs kept.
    """
    if not platform.settings.trusted_hops:
        for name in STRANGERS:
            environ.pop(name, None)
    method = telemetry.method_of(environ["REQUEST_METHOD"])
    seen, began_at = Watch(), time.monotonic()
    try:
        if environ["PATH_INFO"].startswith(http.QUIET):
            yield seen
        else:
            with _span(platform, f"gateway {method} {service}", environ) as span:
                yield seen
                span.tell(**{"http.response.status_code": int(seen.status)})
    finally:
        platform.metrics.observe(GATEWAY_SECONDS, time.monotonic() - began_at, service=service)
        platform.metrics.count(GATEWAY_REQUESTS, service=service, method=method, status=seen.status)


@contextmanager
def _span(platform: Platform, name: str, environ: WSGIEnvironment) -> Iterator[Span]:
    parent = environ.get(telemetry.TRACEPARENT)
    with platform.tracer.span(name, parent, SpanKind.SERVER) as span:
        if span.traceparent is None:
            yield span
            return
        environ[telemetry.TRACEPARENT] = span.traceparent
        with structlog.contextvars.bound_contextvars(trace_id=tracing.trace_id(span.traceparent)):
            yield span
