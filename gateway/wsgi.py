"""The gateway as a process: `gunicorn gateway.wsgi:app`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

from gateway import create_app
from nextstream import logs, wiring
from nextstream.settings import Settings
from web.lazy import Lazy

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def _build() -> WSGIApplication:
    settings = Settings.read()
    logs.configure(settings, "gateway")
    platform = wiring.build(settings)
    platform.metrics.serve()
    app = create_app(platform)
    hops = settings.trusted_hops
    # Only proxies of the operator's own may say whom a request is from and what it asked for.
    return ProxyFix(app, x_for=hops, x_proto=hops, x_host=hops) if hops else app


app = Lazy(_build)
