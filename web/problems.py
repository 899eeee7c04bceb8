"""Errors as problem details (RFC 9457), the same from every service and from the gateway."""

from __future__ import annotations

import inspect
import json
import math
from typing import Any

from flask import Response
from werkzeug.exceptions import HTTPException

from nextstream.errors import NextStreamError, NotFound

MEDIA_TYPE = "application/problem+json"
OWN_REASONS = {460: "Checksum Mismatch"}  # a status of tus, which HTTP has no phrase for
REASONS = ("invalid_token", "insufficient_scope")


def answer(error: NextStreamError, request_id: str, **members: Any) -> Response:
    """Give the response for one of our errors; `members` extend it. The operator's detail stays here."""
    title = inspect.cleandoc(type(error).__doc__ or "")
    response = _respond(error.status, error.code, title, error.message, request_id, **members)
    if error.retryable:
        response.headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    if error.status == 401 or error.code in REASONS:
        # RFC 9110 section 11.6.1 wants a challenge, RFC 6750 section 3 the reason.
        reason = f' error="{error.code}"' if error.code in REASONS else ""
        response.headers["WWW-Authenticate"] = f"Bearer{reason}"
    return response


def answer_http(error: HTTPException, request_id: str) -> Response:
    """Give the response for one of werkzeug's errors, with its headers, as Allow and Content-Range."""
    if error.code == 404:
        return answer(NotFound(), request_id)
    title = error.name
    response = _respond(error.code or 500, code_of(title), title, error.description or title, request_id)
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


def code_of(title: str) -> str:
    """Give the code of an error that HTTP itself has a phrase for."""
    return title.lower().replace(" ", "_")


def body(status: int, code: str, title: str, detail: str, request_id: str, **members: Any) -> bytes:
    """Give the body of an answer."""
    facts = {
        "type": f"urn:nextstream:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": request_id,
        **members,
    }
    return json.dumps(facts).encode() + b"\n"


def _respond(
    status: int, code: str, title: str, detail: str, request_id: str, **members: Any
) -> Response:
    told = body(status, code, title, detail, request_id, **members)
    reason = OWN_REASONS.get(status)
    line = f"{status} {reason}" if reason else status
    return Response(told, line, content_type=MEDIA_TYPE)
