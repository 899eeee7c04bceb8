"""Holds every answer that any test gets to the API's description, members it doesn't name included."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from functools import cache
from typing import Any, NamedTuple

import jsonschema_rs

from nextstream import wiring
from web import BLUEPRINTS, create_app, openapi

PREFIXES = ("/api/v1/", "/v/", "/p/", "/.well-known/", "/healthz", "/readyz")
ALIKE = ("Problem",)  # errors may have more members


class Rule(NamedTuple):
    pattern: re.Pattern[str]
    path: str
    operations: Mapping[str, Any]


@cache
def document() -> dict[str, Any]:
    with create_app(wiring.in_memory(), *BLUEPRINTS).app_context():
        return dict(json.loads(json.dumps(openapi.described())))


def check(method: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Raise AssertionError for an answer that the description doesn't have."""
    path = path.partition("?")[0].rstrip("/")
    where = f"{method} {path}: {status}"
    rule = find(path)
    operation = rule.operations.get(method.lower()) if rule else None
    if status == 404 and _code(body) == "not_found":  # this process doesn't have the service
        return
    if operation is None:
        is_ours = (
            path.startswith(PREFIXES) and status not in (404, 405) and method not in ("OPTIONS", "HEAD")
        )
        assert not is_ours or status in (400, 401), f"{where}: the description has no such operation"
        return
    told = _resolve(operation["responses"].get(str(status)))
    assert told is not None, f"{where}: name what leads to it beside the view ({_code(body)})"
    for name, header in told.get("headers", {}).items():
        asked = _resolve(header)
        assert name in headers or not asked.get("required"), f"{where}: the header {name} is missing"
    content = told.get("content", {})
    media = headers.get("Content-Type", "").partition(";")[0]
    if method == "HEAD" or not body:
        return
    assert _takes(content, media), f"{where}: {media} is not among {list(content)}"
    if media.endswith("json") and media in content:
        faults = [
            f"{f.instance_path}: {f.message}"
            for f in validator(where_of(told, media)).iter_errors(json.loads(body))
        ]
        assert not faults, f"{where}: {faults}"


def where_of(told: Mapping[str, Any], media: str) -> str:
    return json.dumps(told["content"][media]["schema"], sort_keys=True)


def find(path: str) -> Rule | None:
    """Give the path of the description that a request's is, the most literal one."""
    return next((rule for rule in _rules() if rule.pattern.fullmatch(path)), None)


@cache
def _rules() -> list[Rule]:
    def rule(path: str, operations: Any) -> Rule:
        last = r"\{name\}$"  # a file of a video, which may be in a folder
        quoted = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(re.sub(last, "{*}", path)))
        return Rule(re.compile(quoted.replace(r"\{\*\}", ".+")), path, operations)

    ordered = sorted(document()["paths"].items(), key=lambda item: item[0].replace("{", "~"))
    return [rule(path, operations) for path, operations in ordered]


@cache
def validator(schema: str) -> Any:
    """Give what holds a value to a schema, which may refer to the description's."""
    components = deepcopy(document()["components"]["schemas"])
    for name, each in components.items():
        if name not in ALIKE:
            _close(each)
    return jsonschema_rs.validator_for(
        {**json.loads(schema), "components": {"schemas": components}}, validate_formats=True
    )


def _close(schema: dict[str, Any]) -> None:
    if "properties" in schema:
        schema.setdefault("additionalProperties", False)


def _takes(content: Iterable[str], media: str) -> bool:
    kind = media.partition("/")[0]
    return any(each in (media, "*/*", f"{kind}/*") for each in content)


def _resolve(part: Any) -> Any:
    if isinstance(part, dict) and "$ref" in part:
        found: Any = document()
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        return found
    return part


def _code(body: bytes) -> str:
    try:
        return str(json.loads(body).get("code"))
    except (ValueError, AttributeError):
        return "no problem details"


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Give all operations with their paths and methods."""
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation
