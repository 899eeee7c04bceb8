"""What all requests share: an id, errors as problem details, safe headers, and JSON that is checked."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

import structlog
from flask import Flask, Response, abort, current_app, g, request
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from werkzeug.exceptions import HTTPException

from nextstream import logs
from nextstream.domain import tracing
from nextstream.domain.audit import Origin
from nextstream.errors import BadRequest, NextStreamError, NotAllowed, PreconditionFailed
from nextstream.ports import Platform
from web import contract, problems, telemetry, wire

log = structlog.get_logger()

M = TypeVar("M", bound=BaseModel)
W = TypeVar("W", bound=StrEnum)

REQUEST_ID = "X-Request-ID"
BODY_MAX_BYTES = 1024**2  # of anything but an upload
AGENT_MAX = 200  # characters of what a browser says of itself
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_REVISION = re.compile("[0-9]{1,18}")
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
QUIET = ("/static/", "/v/", "/p/", "/healthz", "/readyz")  # too many to be worth a line each
# Whoever reads the log must neither play by it nor upload, whatever route the request found.
_SECRET = re.compile(r"^(/p/|/api/v1/uploads/direct/)[^/]+")

# hls.js plays from blob: URLs; everything else comes from files of our own.
PAGE_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; connect-src 'self'; worker-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'self'"
)
DATA_CSP = "default-src 'none'; frame-ancestors 'none'"


def _whole(value: object) -> object:
    """Take 5.0 for 5, since JSON has one kind of number (JSON Schema Core, 6.3)."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)


class Body(BaseModel):
    """A JSON body: of the very types, and without members that nobody reads."""

    model_config = ConfigDict(strict=True, extra="forbid")


def install(app: Flask, platform: Platform) -> None:
    """Give an app its platform, and all of this."""
    app.extensions["nextstream"] = platform
    app.config["MAX_CONTENT_LENGTH"] = BODY_MAX_BYTES
    app.before_request(_begin)
    app.before_request(_refuse_forgery)
    app.after_request(_finish)
    app.teardown_request(_forget)
    app.register_error_handler(NextStreamError, _tell)
    app.register_error_handler(HTTPException, _tell_http)
    app.register_error_handler(Exception, _tell_unknown)


def platform() -> Platform:
    """Give the platform of the app that handles this request."""
    found: Platform = current_app.extensions["nextstream"]
    return found


def base_url() -> str:
    """Give the address users reach us at, without a slash at its end."""
    return (platform().settings.public_url or request.url_root).rstrip("/")


def origin() -> Origin:
    """Give where the request came from: the address is the one the last trusted hop told."""
    agent = request.headers.get("User-Agent", "")[:AGENT_MAX]
    return Origin(request.remote_addr, agent or None, g.request_id)


def choose_id(offered: str | None) -> str:
    """Take a request id that is offered, if it is harmless in logs and headers, or make one."""
    return offered if offered and _SANE_ID.fullmatch(offered) else uuid.uuid4().hex


def read_json(model: type[M]) -> M:
    """Give the request's JSON body; raises BadRequest with a sentence on each member that is wrong."""
    contract.check_body(_view(), model)
    if not request.is_json:  # a form on another site can't send this type unasked
        abort(415, "Send JSON, with Content-Type: application/json.")
    try:
        return model.model_validate_json(read_body())
    except ValidationError as error:
        raise BadRequest(_explain(error)) from error


def read_body() -> bytes:
    """Give the request's whole body, which is no upload; raises BadRequest where it isn't all there."""
    try:
        with wire.patience(request.environ):
            return request.get_data()
    except wire.BROKEN as error:
        raise BadRequest("The body broke off, or its chunks are none; send it again.") from error


def read_query(model: type[M]) -> M:
    """Give the request's query parameters; raises BadRequest."""
    contract.check_query(_view(), model)
    try:
        return model.model_validate(request.args.to_dict())
    except ValidationError as error:
        raise BadRequest(_explain(error)) from error


def _view() -> Callable[..., Any]:
    return current_app.view_functions[request.endpoint or ""]


def read_word(facts: Mapping[str, str], name: str, words: type[W]) -> W | None:
    """Give one of some words by its name, None where it isn't said; raises BadRequest for others."""
    try:
        return words(facts[name]) if name in facts else None
    except ValueError as error:
        raise BadRequest(f"{name}: must be one of {', '.join(words)}") from error


def read_revision() -> int | None:
    """Give the revision that If-Match names, as GET gave it in ETag; None without or for any.

    Raises PreconditionFailed for what was never a revision (RFC 9110 section 13.1.1).
    """
    wanted = request.if_match
    if not wanted or wanted.star_tag:
        return None
    tags = wanted.as_set()
    tag = tags.pop() if len(tags) == 1 else ""
    if not _REVISION.fullmatch(tag or ""):
        raise PreconditionFailed
    return int(tag)


def _explain(error: ValidationError) -> str:
    """Say what is wrong, and never what was sent: it may be a password."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, f['loc'])) or 'body'}: {f['msg']}" for f in faults)


def _begin() -> None:
    g.started_at = time.monotonic()
    g.request_id = choose_id(request.headers.get(REQUEST_ID))
    telemetry.begin(platform().tracer, is_traced=not request.path.startswith(QUIET))
    named = request.view_args or {}
    logs.bind(
        request_id=g.request_id,
        video_id=named.get("video_id"),
        upload_id=named.get("upload_id"),
        trace_id=tracing.trace_id(platform().tracer.context()),
    )


def _refuse_forgery() -> None:
    """Refuse changes that another site's page sends with our cookies, beside the CSRF token."""
    elsewhere = request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
    if elsewhere and request.cookies and request.method not in SAFE_METHODS:
        raise NotAllowed("Another site may not do this in your name.")


def _finish(response: Response) -> Response:
    response.headers[REQUEST_ID] = g.request_id
    secure(response, over_https=platform().settings.secure_cookies)
    if request.path.startswith("/api/"):
        response.headers.setdefault("Cache-Control", "no-store")
    if response.status_code >= 400 and request.method not in SAFE_METHODS:
        response.call_on_close(partial(wire.linger, request.environ))
    say = log.debug if request.path.startswith(QUIET) else log.info
    took_s = time.monotonic() - g.started_at
    telemetry.finish(platform().metrics, response.status_code, took_s)
    say(
        "request answered",
        method=request.method,
        path=_path(),
        status=response.status_code,
        took_ms=round(took_s * 1000, 1),
    )
    return response


def _path() -> str:
    """Give the path for the log, without what is a secret in itself."""
    return _SECRET.sub(r"\1-", request.path)


def secure(response: Response, *, over_https: bool) -> None:
    """Set the headers that keep browsers careful, where a view didn't choose its own."""
    is_page = response.mimetype == "text/html"
    headers = {
        "Content-Security-Policy": PAGE_CSP if is_page else DATA_CSP,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }
    if over_https:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    chosen = {name.lower() for name in response.headers.keys()}  # noqa: SIM118  it gives pairs otherwise
    response.headers.extend({name: v for name, v in headers.items() if name.lower() not in chosen})


def _forget(_: BaseException | None) -> None:
    telemetry.end()
    logs.unbind("request_id", "video_id", "upload_id", "trace_id")


def _tell(error: NextStreamError) -> Response:
    say = log.error if error.status == 500 else log.info
    say("request refused", code=error.code, error=str(error))
    return problems.answer(error, g.request_id)


def _tell_http(error: HTTPException) -> Response:
    return problems.answer_http(error, g.request_id)


def _tell_unknown(error: Exception) -> Response:
    log.error("request failed", exc_info=error)
    return problems.answer(NextStreamError(), g.request_id)


def answer(body: Mapping[str, object], status: int = 200) -> Response:
    """Give a JSON response."""
    return current_app.response_class(
        current_app.json.dumps(body) + "\n", status, content_type="application/json"
    )
