"""The one entry point: finds the service of each request and calls it, or passes the request on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import structlog
from werkzeug import Response

from gateway import flower, guard
from gateway.proxy import Upstream
from nextstream.errors import NextStreamError
from nextstream.ports import Platform
from nextstream.settings import Settings
from web import create_app as create_web
from web import http, problems

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger()

# What isn't here is for the pages, which are always mounted.
ROUTES = {
    "/api/v1/auth": "auth",
    "/api/v1/uploads": "upload",
    "/api/v1/videos": "streaming",
    "/api/v1/events": "streaming",
    "/v": "streaming",
}


def create_app(platform: Platform) -> Gateway:
    """Give the gateway: services with an address in the settings are proxied, the others mounted."""
    settings = platform.settings
    upstreams = {name: Upstream(url) for name, url in _addresses(settings).items() if url}
    mounted = [name for name in _addresses(settings) if name not in upstreams]
    front = create_web(platform, *mounted, "pages")
    front.extensions["probes"].update({name: each.check for name, each in upstreams.items()})
    if settings.flower_url:
        flower.install(front, Upstream(settings.flower_url))
    return Gateway(front, upstreams, over_https=settings.secure_cookies)


def _addresses(settings: Settings) -> dict[str, str]:
    return {
        "auth": settings.auth_url,
        "upload": settings.upload_url,
        "streaming": settings.streaming_url,
    }


class Gateway:
    """A WSGI app over the mounted services and those elsewhere; both give the same answers."""

    def __init__(
        self, front: WSGIApplication, upstreams: Mapping[str, Upstream], *, over_https: bool
    ) -> None:
        self._front = front
        self._upstreams = upstreams
        self._over_https = over_https

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve a request."""
        request_id = http.choose_id(environ.get("HTTP_X_REQUEST_ID"))
        environ["HTTP_X_REQUEST_ID"] = request_id
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                guard.check(environ)
                answer = self._find(environ)
            except NextStreamError as error:
                log.warning("request refused", code=error.code, error=str(error))
                answer = self._refuse(error, request_id)
            return answer(environ, start_response)

    def _find(self, environ: WSGIEnvironment) -> WSGIApplication:
        """Give what answers a request; raises where its service doesn't."""
        upstream = self._upstreams.get(service_of(environ["PATH_INFO"]) or "")
        return upstream.forward(environ) if upstream else self._front

    def _refuse(self, error: NextStreamError, request_id: str) -> Response:
        response = problems.answer(error, request_id)
        response.headers[http.REQUEST_ID] = request_id
        http.secure(response, over_https=self._over_https)
        return response


def service_of(path: str) -> str | None:
    """Give the service that a path belongs to."""
    for prefix, name in ROUTES.items():
        if path == prefix or path.startswith(f"{prefix}/"):
            return name
    return None
