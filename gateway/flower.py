"""Flower for operators: it has no login of its own, so nobody else reaches it."""

from __future__ import annotations

from flask import Blueprint, Flask, current_app, redirect, request
from werkzeug import Response

from gateway.proxy import Upstream
from nextstream.domain.access import Action, may
from nextstream.errors import NotAllowed, NotAuthenticated
from web import http, tokens

PREFIX = "/flower"

blueprint = Blueprint("flower", __name__, url_prefix=PREFIX)

# Flower's pages have scripts and styles in them; they still reach no other site.
CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
)
METHODS = ["GET", "POST", "PUT", "DELETE"]
OURS = ("HTTP_COOKIE", "HTTP_AUTHORIZATION")  # an operator's tokens are no business of Flower's


def install(app: Flask, upstream: Upstream) -> None:
    """Show Flower below /flower, where its own --url_prefix puts it, too."""
    app.extensions["flower"] = upstream
    app.register_blueprint(blueprint)


@blueprint.route("/", methods=METHODS)
@blueprint.route("/<path:path>", methods=METHODS)
def show(path: str = "") -> Response:  # noqa: ARG001  the proxy takes it from the request
    """Pass an operator's request on; send others to log in, or tell them no."""
    try:
        account = tokens.account_of_cookie()
    except NotAuthenticated:
        if request.method not in http.SAFE_METHODS:
            raise
        return redirect(f"/login?next={PREFIX}/")
    if not may(account, Action.OPERATE):
        raise NotAllowed("Only operators may see Flower.")
    if request.method not in http.SAFE_METHODS:
        _check_origin()
    upstream: Upstream = current_app.extensions["flower"]
    environ = {name: value for name, value in request.environ.items() if name not in OURS}
    response = upstream.forward(environ)
    response.headers["Content-Security-Policy"] = CSP
    return response


def _check_origin() -> None:
    """Refuse changes that don't come from Flower's own pages, which can't send our CSRF header."""
    if request.headers.get("Origin") != request.host_url.rstrip("/"):
        raise NotAllowed("Another site may not do this in your name.")
