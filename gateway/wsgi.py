"""The gateway as a process: `gunicorn gateway.wsgi:app`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway import create_app
from nextstream import logs, wiring
from nextstream.settings import Settings
from web.lazy import Lazy

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def _build() -> WSGIApplication:
    settings = Settings.read()
    logs.configure(settings, "gateway")
    return create_app(wiring.build(settings))


app = Lazy(_build)
