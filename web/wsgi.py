"""The services of NEXTSTREAM_SERVICES as one process behind the gateway: `gunicorn web.wsgi:app`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

from nextstream import logs, wiring
from nextstream.settings import Settings
from web import create_app
from web.lazy import Lazy

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def _build() -> WSGIApplication:
    settings = Settings.read()
    logs.configure(settings, "web")
    names = [name.strip() for name in settings.services.split(",") if name.strip()]
    platform = wiring.build(settings)
    platform.metrics.serve()
    # The gateway is the one before us, and says whom users asked for.
    return ProxyFix(create_app(platform, *names), x_for=1, x_proto=1, x_host=1)


app = Lazy(_build)
