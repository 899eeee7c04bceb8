"""What is wrong with a request, whatever it is about."""

from __future__ import annotations

from nextstream.errors.base import NextStreamError


class BadRequest(NextStreamError):
    """The request can't be understood; check it against the API's description."""

    code, status = "bad_request", 400


class NotAllowed(NextStreamError):
    """Your account may not do this."""

    code, status = "not_allowed", 403


class InsufficientScope(NotAllowed):
    """Your token or key wasn't made for this; take one with the scope it needs."""

    code = "insufficient_scope"


class TooManyRequests(NextStreamError):
    """Too many requests; wait a little and try again."""

    code, status, retryable = "too_many_requests", 429, True

    def __init__(self, retry_after_s: float, message: str | None = None) -> None:
        """Take the seconds to wait."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NotFound(NextStreamError):
    """There is nothing at this address."""

    code, status = "not_found", 404


class PreconditionFailed(NextStreamError):
    """It has changed since you read it; read it again, and send its new ETag in If-Match."""

    code, status = "precondition_failed", 412


class Conflict(NextStreamError):
    """Something else changed this at the same time; read it again and repeat."""

    code, status, retryable = "conflict", 409, True


class RequestRunning(NextStreamError):
    """A request with this Idempotency-Key is under way; send it again when that has ended."""

    code, status, retryable = "request_running", 409, True


class WrongState(NextStreamError):
    """The video's state doesn't allow this."""

    code, status = "wrong_state", 409


class ServerBusy(NextStreamError):
    """The server takes as many uploads as it can just now; try again shortly."""

    code, status, retryable = "server_busy", 503, True
