"""WSGI apps that are built at the first request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Lazy:
    """Builds an app once, in the process that serves: connections don't survive a server's fork."""

    def __init__(self, build: Callable[[], WSGIApplication]) -> None:
        self._build = build
        self._app: WSGIApplication | None = None
        self._lock = Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve a request."""
        with self._lock:
            if self._app is None:
                self._app = self._build()
        return self._app(environ, start_response)
