"""What goes wrong while a request's body comes in, and how to part from its sender."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# Reading a body raises these where the client goes away in the middle, or sends chunks that are none.
BROKEN = (OSError, ClientDisconnected, ParseException)

PATIENCE_S = 60.0  # for the next bytes of a body
LINGER_S = 5.0
LINGER_BYTES = 64 * 1024**2
SILENCE_S = 1.0
# Of a body. From 128 KiB on, malloc maps and unmaps memory for each block, which costs more than all
# copying; below, the block stays in the processor's cache, and a slow client's shows that it lives.
BLOCK_BYTES = 64 * 1024


@contextmanager
def patience(environ: WSGIEnvironment, seconds: float = PATIENCE_S) -> Iterator[None]:
    """Let reads of a body in the block fail when nothing comes for so long: else they hold a thread."""
    connection = environ.get("gunicorn.socket")
    if connection is None:
        yield
        return
    before = connection.gettimeout()
    connection.settimeout(seconds)
    try:
        yield
    finally:
        with suppress(OSError):
            connection.settimeout(before)


def interrupter(environ: WSGIEnvironment) -> Callable[[], None]:
    """Give a function that ends a read of the body, from another thread, as if the client were gone."""

    def interrupt() -> None:
        connection = environ.get("gunicorn.socket")
        if connection is not None:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)

    return interrupt


def linger(environ: WSGIEnvironment) -> None:
    """Read on for some seconds after a refusal was sent, so that its reader gets to see it.

    A connection that is closed with unread bytes is reset, and clients then forget the answer.
    """
    connection = environ.get("gunicorn.socket")
    if connection is None:
        return
    deadline, patience = time.monotonic() + LINGER_S, connection.gettimeout()
    connection.settimeout(SILENCE_S)
    with suppress(*BROKEN):  # then gunicorn closes the connection
        for _ in range(LINGER_BYTES // BLOCK_BYTES):
            if time.monotonic() > deadline or not environ["wsgi.input"].read(BLOCK_BYTES):
                break
    with suppress(OSError):
        connection.settimeout(patience)


def is_gone(environ: WSGIEnvironment) -> bool:
    """Tell whether the client has closed its side, which a write would only find out much later."""
    connection = environ.get("gunicorn.socket")
    if connection is None:
        return False
    look = select.poll()  # select() itself can't look at more than 1024 connections and files
    look.register(connection, select.POLLIN)
    if not look.poll(0):
        return False
    try:
        return not connection.recv(1, socket.MSG_PEEK)
    except OSError:
        return True
