"""The one entry point: finds the service of each request and calls it, or passes the request on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import structlog
from flask import Flask, Request
from werkzeug import Response

from gateway import edge, flower, guard, telemetry
from gateway.proxy import Upstream
from nextstream.errors import NextStreamError
from nextstream.ports import Platform
from nextstream.settings import Settings
from web import cors, http, problems, wire
from web import create_app as create_web

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger()


@dataclass(frozen=True)
class Route:
    """The service behind a path, and how long it may be silent, in seconds."""

    service: str
    silence_s: float


# What isn't here is for the pages, which are always mounted.
ROUTES = {
    "/.well-known": Route("auth", 15.0),
    "/api/v1/accounts": Route("auth", 15.0),
    "/api/v1/audit": Route("auth", 30.0),
    "/api/v1/auth": Route("auth", 15.0),  # a password's hash takes a while on a busy machine
    "/api/v1/uploads": Route("upload", 60.0),  # the storage may take long over a part
    "/api/v1/videos": Route("streaming", 60.0),  # events come with a sign of life more often
    "/api/v1/webhooks": Route("streaming", 30.0),
    "/api/v1/asyncapi.json": Route("streaming", 15.0),
    "/api/v1/events": Route("streaming", 30.0),
    "/api/v1/workers": Route("streaming", 30.0),
    "/v": Route("streaming", 30.0),
    "/p": Route("streaming", 30.0),
}


def create_app(platform: Platform) -> Gateway:
    """Give the gateway: services with an address in the settings are proxied, the others mounted."""
    settings = platform.settings
    seats = settings.seats_each
    upstreams = {name: Upstream(url, seats=seats) for name, url in _addresses(settings).items() if url}
    mounted = [name for name in _addresses(settings) if name not in upstreams]
    front = create_web(platform, *mounted, "pages")
    front.extensions["probes"].update({name: each.check for name, each in upstreams.items()})
    if settings.flower_url:
        flower.install(front, Upstream(settings.flower_url, seats=seats))
    return Gateway(front, upstreams, platform)


def _addresses(settings: Settings) -> dict[str, str]:
    return {
        "auth": settings.auth_url,
        "upload": settings.upload_url,
        "streaming": settings.streaming_url,
    }


class Gateway:
    """A WSGI app over the mounted services and those elsewhere; both give the same answers."""

    def __init__(self, front: Flask, upstreams: Mapping[str, Upstream], platform: Platform) -> None:
        self._front = front
        self._upstreams = upstreams
        self._platform = platform
        self._settings = platform.settings
        self._origins = cors.parse(platform.settings.cors_origins)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve a request."""
        request_id = http.choose_id(environ.get("HTTP_X_REQUEST_ID"))
        environ["HTTP_X_REQUEST_ID"] = request_id
        route = route_of(environ["PATH_INFO"])
        with (
            structlog.contextvars.bound_contextvars(request_id=request_id),
            telemetry.watch(self._platform, route.service if route else "pages", environ) as watch,
        ):
            try:
                guard.check(environ)
                edge.drop_identity(environ)
                edge.check(self._front, self._settings, environ)
                answer = self._find(environ, route)
            except NextStreamError as error:
                log.warning("request refused", code=error.code, error=str(error))
                answer = self._refuse(error, environ)
            return answer(environ, watch.around(start_response))

    def _find(self, environ: WSGIEnvironment, route: Route | None) -> WSGIApplication:
        """Give what answers a request; raises where its service doesn't."""
        upstream = self._upstreams.get(route.service) if route else None
        return upstream.forward(environ, route.silence_s) if upstream and route else self._front

    def _refuse(self, error: NextStreamError, environ: WSGIEnvironment) -> Response:
        request_id = environ["HTTP_X_REQUEST_ID"]
        response = problems.answer(error, request_id)
        response.headers[http.REQUEST_ID] = request_id
        if environ["REQUEST_METHOD"] not in http.SAFE_METHODS:  # its body is unread
            response.call_on_close(partial(wire.linger, environ))
        cors.describe(response, Request(environ), self._origins)
        http.secure(response, over_https=self._settings.secure_cookies)
        return response


def route_of(path: str) -> Route | None:
    """Give the route that a path belongs to; None is the pages'."""
    for prefix, route in ROUTES.items():
        if path == prefix or path.startswith(f"{prefix}/"):
            return route
    return None
