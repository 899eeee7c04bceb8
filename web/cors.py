"""Pages of other sites that may use the API (the Fetch standard, section 3.2: CORS)."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from flask import Flask, Request, Response, request

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
MAX_AGE_S = 7200  # as long as browsers keep it at most
SENT = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Range, X-CSRF-TOKEN, "
    "X-Request-ID, X-HTTP-Method-Override, X-Requested-With, Tus-Resumable, Upload-Length, "
    "Upload-Offset, Upload-Metadata, Upload-Defer-Length, Upload-Concat, Upload-Checksum"
)
READ = (
    "Location, ETag, Link, Retry-After, Content-Range, X-Request-ID, X-Video-ID, WWW-Authenticate, "
    "RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, RateLimit-Policy, "
    "Idempotent-Replayed, Tus-Resumable, Tus-Version, Tus-Extension, Tus-Max-Size, "
    "Tus-Checksum-Algorithm, Upload-Offset, Upload-Length, Upload-Metadata, Upload-Defer-Length, "
    "Upload-Concat, Upload-Expires"
)


def install(app: Flask, origins: str) -> None:
    """Let pages of the named origins in; none of them is sent cookies."""
    allowed = parse(origins)
    if not allowed:
        return

    def answer_preflight() -> Response | None:
        asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        return Response(status=204) if asks and request.path.startswith("/api/") else None

    def tell(response: Response) -> Response:
        describe(response, request, allowed)
        return response

    app.before_request(answer_preflight)
    app.after_request(tell)


def parse(origins: str) -> AbstractSet[str]:
    """Give the origins that the setting names."""
    return frozenset(name.strip().rstrip("/") for name in origins.split(",") if name.strip())


def describe(response: Response, asked: Request, allowed: AbstractSet[str]) -> None:
    """Let the page that asked read an answer of the API, a refusal too, where its origin is allowed."""
    if not allowed or not asked.path.startswith("/api/"):
        return
    response.vary.add("Origin")
    origin = asked.headers.get("Origin", "")
    if not origin or not allowed & {origin, "*"}:
        return
    response.headers["Access-Control-Allow-Origin"] = "*" if "*" in allowed else origin
    response.headers["Access-Control-Expose-Headers"] = READ
    if asked.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = METHODS
        response.headers["Access-Control-Allow-Headers"] = SENT
        response.headers["Access-Control-Max-Age"] = str(MAX_AGE_S)
