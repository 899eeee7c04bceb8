"""The API's description (OpenAPI 3.1.1) made of the routes and of what their views promise."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from nextstream.errors import TooManyRequests
from web import contract, shapes
from web.contract import JSON, Answer, Media, Operation, Pass
from web.openapi import examples, parameters, refusals, security
from web.openapi.schemas import Schemas

ABOUT = """Videos go in by any way of upload and come out as adaptive HLS and DASH.

Log in by `log_in`, or make an API key by `create_api_key`, and send it as `Authorization: Bearer …`.
Errors are problem details (RFC 9457) with a `code` of the closed list in the schema `Problem`; those
with `Retry-After` may be tried again. Lists are paged: `next` is what to send for the following page.
"""
VERSION = "1.0.0"  # of the API, whose paths begin with /api/v1
_MEANING = {
    200: "Done.",
    201: "It is made.",
    202: "It is accepted, and will be done.",
    204: "Done; there is nothing to say.",
    206: "The part that was asked for.",
    302: "It is at another address.",
    304: "It is as the client has it.",
}
_PARAMETER = re.compile(r"<(?:(?P<kind>\w+)(?:\((?P<choice>[^)]*)\))?:)?(?P<name>\w+)>")


@dataclass(frozen=True)
class Route:
    """One operation at one path, as OpenAPI writes it; `method` is in lower case."""

    path: str
    method: str
    rule: Rule
    view: Callable[..., Any]
    operation: Operation

    @property
    def id(self) -> str:
        """Give the operationId: the name, and what tells two routes of one view apart."""
        name = self.operation.name
        if self.method == "head" and self.operation.access is Pass.TICKET:
            name = f"head_{name.partition('_')[2]}"
        return f"{name}_by_ticket" if "ticket" in self.rule.arguments else name

    @property
    def names(self) -> list[str]:
        """Give the names of the path's parameters, in their order."""
        return [found["name"] for found in _PARAMETER.finditer(self.rule.rule)]


def routes(app: Flask) -> Iterator[Route]:
    """Give all routes whose views promise something, in the order of their paths."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        view = app.view_functions[rule.endpoint]
        operation = contract.of(view)
        if operation and not rule.rule.endswith("/"):  # with a slash, tus' is the same once more
            path = _PARAMETER.sub(r"{\g<name>}", rule.rule)
            for method in methods(rule, operation):
                yield Route(path, method, rule, view, operation)


def methods(rule: Rule, operation: Operation) -> list[str]:
    """Give the methods that are worth an entry: HEAD beside GET is so for files alone."""
    found = {method.lower() for method in rule.methods or ()}
    if "get" in found and operation.access is not Pass.TICKET:
        found.discard("head")
    if getattr(rule, "provide_automatic_options", True):
        found.discard("options")
    return sorted(found)


def make(app: Flask) -> dict[str, Any]:
    """Make the description of all an app's routes."""
    found = list(routes(app))
    schemas = Schemas(list(_read(found)), [shapes.Problem, *_given(found)])
    paths: dict[str, dict[str, Any]] = {}
    refused: dict[str, Any] = {}
    for route in found:
        paths.setdefault(route.path, {})[route.method] = _describe(route, schemas, refused)
    schemas.close_codes(refusals.known())
    schemas.add_examples(examples.every())
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "NextStream",
            "version": VERSION,
            "description": ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": _tags(found),
        "paths": paths,
        "components": {
            "schemas": schemas.used(paths),
            "responses": dict(sorted(refused.items())),
            "parameters": parameters.shared(),
            "headers": parameters.shared_headers(),
            "securitySchemes": security.SCHEMES,
        },
    }


def _describe(route: Route, schemas: Schemas, refused: dict[str, Any]) -> dict[str, Any]:
    """Describe one operation; answers with errors are added to those that all share."""
    operation = route.operation
    summary, _, more = inspect.cleandoc(route.view.__doc__ or "").partition("\n")
    needs = security.describe(operation.access)
    described = {
        "operationId": route.id,
        "tags": [_tag(route)],
        "summary": summary.rstrip("."),
        "description": "\n\n".join(filter(None, [more.strip(), needs])),
        "security": security.requirements(operation.access, is_safe=route.method in refusals.SAFE),
        "parameters": [*_places(route), *_query(operation, schemas), *_sent(operation)],
        "responses": _answers(route, schemas) | _refusals(route, refused),
    }
    body = _body(operation, schemas)
    return {**described, "requestBody": body} if body else described


def _places(route: Route) -> list[dict[str, Any]]:
    return [
        {
            "name": found["name"],
            "in": "path",
            "required": True,
            "description": parameters.PLACES[found["name"]].description,
            "schema": _place_schema(found["name"], found["kind"], found["choice"]),
            "example": _place_example(found["name"], found["kind"], found["choice"]),
        }
        for found in _PARAMETER.finditer(route.rule.rule)
    ]


def _place_schema(name: str, kind: str | None, choice: str | None) -> dict[str, Any]:
    if kind == "any":
        return {"type": "string", "enum": _choices(choice)}
    if kind == "int":
        return {"type": "integer", "minimum": 0}
    return {"type": "string", "pattern": parameters.PLACES[name].pattern}


def _place_example(name: str, kind: str | None, choice: str | None) -> Any:
    if kind == "any":
        return _choices(choice)[0]
    example = parameters.PLACES[name].example
    return int(example) if kind == "int" else example


def _choices(choice: str | None) -> list[str]:
    return [each.strip() for each in (choice or "").split(",")]


def _query(operation: Operation, schemas: Schemas) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    schema = schemas.read(operation.query)
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "explode": False,  # of a list: its members by commas
            **_split(member),
        }
        for name, member in schema["properties"].items()
    ]


def _split(member: dict[str, Any]) -> dict[str, Any]:
    """Put a member's description beside its schema; nobody can send null in a query."""
    about = {"description": member["description"]} if "description" in member else {}
    rest = {key: value for key, value in member.items() if key != "description"}
    kinds = [each for each in rest.pop("anyOf", ()) if each != {"type": "null"}]
    if kinds and rest.get("default", 0) is None:
        del rest["default"]
    return {
        **about,
        "schema": {**rest, **(kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {})},
    }


def _sent(operation: Operation) -> list[dict[str, Any]]:
    once = ("Idempotency-Key",) if operation.is_once else ()
    names = (*operation.sends, *once, parameters.REQUEST_ID)
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def _body(operation: Operation, schemas: Schemas) -> dict[str, Any] | None:
    if isinstance(operation.body, Media):
        content = {"schema": operation.body.schema} if operation.body.schema else {}
        media = dict.fromkeys(operation.body.types, content)
        return {"required": operation.body.required, "content": media}
    if operation.body is None:
        return None
    return {"required": True, "content": {JSON: {"schema": schemas.reference(operation.body)}}}


def _answers(route: Route, schemas: Schemas) -> dict[str, Any]:
    return {
        str(status): _answer(answer, status, route, schemas)
        for status, answer in route.operation.answers.items()
    }


def _answer(answer: Answer, status: int, route: Route, schemas: Schemas) -> dict[str, Any]:
    names = [parameters.REQUEST_ID, *answer.headers]
    names += ["Idempotent-Replayed"] if route.operation.is_once else []
    names += parameters.RATE if _is_counted(route.operation) else []
    described = {"description": _MEANING[status], "headers": parameters.told(names)}
    if answer.body is None or route.method == "head":
        return described
    is_schema = isinstance(answer.body, dict)
    schema = answer.body if is_schema else schemas.given(answer.body)
    return {**described, "content": {media: {"schema": schema} for media in answer.media}}


def _is_counted(operation: Operation) -> bool:
    is_open = isinstance(operation.access, Pass) and operation.access is not Pass.LOGIN
    return not is_open or TooManyRequests in operation.errors


def _refusals(route: Route, refused: dict[str, Any]) -> dict[str, Any]:
    errors = refusals.of(route.operation, route.method, route.names)
    found = {}
    for status, some in refusals.answers(errors).items():
        name = refusals.name(some)
        refused[name] = refusals.describe(some)
        found[status] = {"$ref": f"#/components/responses/{name}"}
    return found


def _read(found: list[Route]) -> Iterator[Any]:
    for route in found:
        if route.operation.query:
            yield route.operation.query
        if isinstance(route.operation.body, type):
            yield route.operation.body


def _given(found: list[Route]) -> Iterator[Any]:
    for route in found:
        for answer in route.operation.answers.values():
            if answer.body is not None and not isinstance(answer.body, dict):
                yield answer.body


def _tag(route: Route) -> str:
    return route.view.__module__.rpartition(".")[2]


def _tags(found: list[Route]) -> list[dict[str, str]]:
    modules = {_tag(route): inspect.getmodule(route.view) for route in found}
    return [
        {"name": name, "description": inspect.cleandoc(module.__doc__ or "").partition("\n")[0]}
        for name, module in sorted(modules.items())
        if module
    ]
