"""gunicorn's worker with threads, which tells what it can't parse as problem details, too.

`gunicorn --worker-class web.worker.Worker`
"""

from __future__ import annotations

import logging
import socket
import struct
import uuid
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from gunicorn.http.errors import (
    ConfigurationProblem,
    ExpectationFailed,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import ThreadWorker
from werkzeug.http import HTTP_STATUS_CODES

from web import problems, wire

WRITE_S = 1.0  # a few hundred bytes, which a client that wants them takes at once
EXPLAINED = "The request isn't well-formed HTTP, or its line or headers are too long."
# Of the same class, but no client's: an app's own headers, and gunicorn's options.
OURS = (InvalidResponseHeader, InvalidResponseHeaderName, ConfigurationProblem)
OTHERS = {
    LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
}


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """Serves as gthread does, but for who falls silent in the middle of a request."""

    silence_s = int(wire.PATIENCE_S)

    def init_process(self) -> None:
        """Begin, with bodies that are received in blocks of the size that services read."""
        SocketUnreader.max_body_chunk = wire.BLOCK_BYTES
        self.log.error_log.addFilter(_is_worth_a_line)
        super().init_process()

    def handle(self, conn: Any) -> Any:
        """Serve a connection; whose client is gone without a word would hold its thread for ever.

        The kernel ends reads alone: how long an answer takes is its reader's business.
        """
        limit = struct.pack("ll", self.silence_s, 0)
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        return super().handle(conn)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answer a request that no app has seen; what isn't the client's fault is gunicorn's to tell."""
        if not isinstance(exc, ParseException) or isinstance(exc, OURS):
            super().handle_error(req, client, addr, exc)
            return
        self.log.info("request not understood: %s", exc)
        with suppress(OSError):  # then nobody is there to read it
            client.settimeout(WRITE_S)
            client.sendall(answer(status_of(exc)))


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Leave out clients that fell silent before their request was whole, with all of a traceback."""
    return not (record.exc_info and isinstance(record.exc_info[1], BlockingIOError))


def status_of(error: Exception) -> HTTPStatus:
    """Give the status for what gunicorn raised."""
    found = (status for kind, status in OTHERS.items() if isinstance(error, kind))
    return next(found, HTTPStatus.BAD_REQUEST)


def answer(status: HTTPStatus) -> bytes:
    """Give a whole answer; it says nothing of the request, which may hold anything."""
    title, request_id = HTTP_STATUS_CODES[status], uuid.uuid4().hex
    body = problems.body(status, problems.code_of(title), title, EXPLAINED, request_id)
    head = [
        f"HTTP/1.1 {status.value} {title}",
        f"Content-Type: {problems.MEDIA_TYPE}",
        f"Content-Length: {len(body)}",
        f"X-Request-ID: {request_id}",
        "Connection: close",
        "",
        "",
    ]
    return "\r\n".join(head).encode() + body
