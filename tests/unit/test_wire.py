"""How a request's connection is looked at."""

from __future__ import annotations

import fcntl
import os
import resource
import socket

import pytest

from web import wire


@pytest.mark.parametrize("least", [0, 1100])  # select() ends at 1024
def test_a_client_that_is_gone_is_noticed_however_many_files_are_open(least: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft <= least:
        resource.setrlimit(resource.RLIMIT_NOFILE, (least + 100, hard))
    ours, theirs = socket.socketpair()
    number = fcntl.fcntl(ours, fcntl.F_DUPFD, least) if least else os.dup(ours.fileno())
    with ours, theirs, socket.socket(fileno=number) as connection:
        environ = {"gunicorn.socket": connection}
        assert not wire.is_gone(environ)  # type: ignore[arg-type]  # all of it that counts here
        theirs.sendall(b"GET")
        assert not wire.is_gone(environ)  # type: ignore[arg-type]
        connection.recv(3)
        theirs.shutdown(socket.SHUT_WR)
        assert wire.is_gone(environ)  # type: ignore[arg-type]
