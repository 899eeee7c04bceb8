"""What is measured and traced of every request."""

from __future__ import annotations

from contextlib import ExitStack

from flask import g, request

from nextstream.domain.metrics import HTTP_REQUESTS, HTTP_SECONDS
from nextstream.ports import Metrics, Span, SpanKind, Tracer

METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
TRACEPARENT = "HTTP_TRACEPARENT"  # the gateway removes one that isn't from a trusted hop


def begin(tracer: Tracer, *, is_traced: bool) -> None:
    """Begin the request's span, which lasts until `end`; players' requests are too many for one each."""
    g.tracing, g.span = ExitStack(), None
    if is_traced:
        parent = request.environ.get(TRACEPARENT)
        facts = {"http.request.method": method_of(request.method), "http.route": route()}
        span = tracer.span(" ".join(facts.values()), parent, SpanKind.SERVER, **facts)
        g.span = g.tracing.enter_context(span)


def finish(metrics: Metrics, status: int, took_s: float) -> None:
    """Count the answer; its body is still to be sent."""
    path, method = route(), method_of(request.method)
    metrics.count(HTTP_REQUESTS, route=path, method=method, status=str(status))
    metrics.observe(HTTP_SECONDS, took_s, route=path, method=method)
    span: Span | None = g.span
    if span:
        span.tell(**{"http.response.status_code": status})


def end() -> None:
    """End the request's span; may run twice."""
    if "tracing" in g:  # it began
        g.tracing.close()


def method_of(name: str) -> str:
    """Give the method as a label: anybody can send any word."""
    return name if name in METHODS else "other"


def route() -> str:
    """Give the request's route without what is in it; all that have none are one."""
    return request.url_rule.rule if request.url_rule else "none"
