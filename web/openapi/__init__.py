"""The API's description: made of the code, served to tools, and shown by the page /api/docs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

from flask import Blueprint, Flask, Response, current_app, request

from web.contract import Answer, Pass, operation
from web.openapi import document

blueprint = Blueprint("openapi", __name__, url_prefix="/api/v1")


def install(app: Flask, blueprints: Iterable[Blueprint]) -> None:
    """Let an app describe all of these blueprints, those of services elsewhere too.

    The description is made when it is first asked for, which takes some tenths of a second.
    """
    every = tuple(blueprints)

    @cache
    def describe() -> dict[str, Any]:
        whole = Flask("whole")
        whole.extensions["nextstream"] = app.extensions["nextstream"]
        for each in every:
            whole.register_blueprint(each)
        return document.make(whole)

    app.extensions["openapi"] = describe


def described() -> dict[str, Any]:
    """Give the description."""
    made: dict[str, Any] = current_app.extensions["openapi"]()
    return made


@blueprint.get("/openapi.json")
@operation(
    Pass.NOTHING,
    "get_openapi",
    sends=("If-None-Match",),
    gives={200: Answer({"type": "object"}, headers=("ETag",)), 304: Answer(headers=("ETag",))},
)
def get_openapi() -> Response:
    """Describe this API (OpenAPI 3.1)."""
    response = Response(json.dumps(described()), content_type="application/json")
    response.headers["Cache-Control"] = "public, no-cache"
    response.add_etag()
    return response.make_conditional(request.environ)  # type: ignore[return-value]  # it gives itself
