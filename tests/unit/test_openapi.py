"""The API's description is whole, valid and made of what views really promise."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from openapi_spec_validator import validate
from werkzeug.routing import Rule

import gateway
from nextstream import wiring
from nextstream.domain.access import NEEDS, Action
from tests import conformity
from tests.unit.test_access_matrix import DECISIONS, OPEN, PLAYED
from web import BLUEPRINTS, contract, create_app, videos
from web.contract import Pass
from web.openapi import examples
from web.openapi.reading import marked

PAGES = {endpoint.split(" ")[1] for endpoint in OPEN if " pages." in endpoint} | {"static"}
HOW = (
    "say above the view what it promises, with @contract.operation(...) of web/contract.py; "
    "bodies are types of web/*shapes.py, path parameters have a line in web/openapi/parameters.py"
)


@pytest.fixture(scope="module")
def app() -> Flask:
    return create_app(wiring.in_memory(), *BLUEPRINTS)


def rules(app: Flask) -> Iterator[Rule]:
    yield from (rule for rule in app.url_map.iter_rules() if rule.endpoint not in PAGES)


def test_every_route_is_described(app: Flask) -> None:
    silent = {rule.endpoint for rule in rules(app) if not contract.of(app.view_functions[rule.endpoint])}
    assert not silent, f"{sorted(silent)}: {HOW}"
    described = {(re.sub(r"\{\w+\}", "{}", path), method) for path, method, _ in conformity.operations()}
    for rule in rules(app):
        path = re.sub(r"<[^>]+>", "{}", rule.rule).rstrip("/")
        automatic = {"HEAD", *(["OPTIONS"] if rule.provide_automatic_options else [])}
        automatic -= {"HEAD"} if "GET" not in (rule.methods or set()) else set()
        for method in (rule.methods or set()) - automatic:
            assert (path, method.lower()) in described


def test_the_description_is_valid_openapi() -> None:
    assert conformity.document()["openapi"].startswith("3.1.")
    validate(conformity.document())


def test_operations_have_names_for_clients_to_call() -> None:
    names = [operation["operationId"] for _, _, operation in conformity.operations()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", name) for name in names)


def test_types_have_names_of_their_own() -> None:
    doubled = [name for name in conformity.document()["components"]["schemas"] if "__" in name]
    assert not doubled, "two types have one name; rename one"


@pytest.mark.parametrize("route", DECISIONS)
def test_the_scope_that_is_told_is_the_one_that_is_asked_for(app: Flask, route: str) -> None:
    found = contract.of(app.view_functions[route.split(" ")[1]])
    assert found
    if isinstance(found.access, Action):
        assert NEEDS[found.access] is DECISIONS[route].scope
    else:
        assert found.access is Pass.LOGIN


@pytest.mark.parametrize("route", PLAYED)
def test_what_is_played_asks_for_no_login(app: Flask, route: str) -> None:
    found = contract.of(app.view_functions[route.split(" ")[1]])
    assert found
    assert found.access is Pass.TICKET


def test_a_view_can_not_parse_what_it_does_not_promise(app: Flask) -> None:
    parse = app.view_functions["webhooks.add_webhook"]
    with pytest.raises(LookupError, match="must declare body=VideoChange"):
        contract.check_body(parse, videos.VideoChange)
    with pytest.raises(LookupError, match="must declare query=Page"):
        contract.check_query(parse, videos.Page)


def test_the_gateway_describes_services_elsewhere_too() -> None:
    platform = wiring.in_memory()
    pages = create_app(platform, "pages").test_client().get("/api/v1/openapi.json")
    assert pages.get_json() == conformity.document()
    assert gateway.route_of("/api/v1/openapi.json") is None  # the pages' process answers
    again = create_app(platform, "pages").test_client()
    known = {"If-None-Match": pages.headers["ETag"]}
    assert again.get("/api/v1/openapi.json", headers=known).status_code == 304


def test_the_page_shows_every_operation_and_error_without_a_script(app: Flask) -> None:
    page = app.test_client().get("/api/docs")
    assert page.status_code == 200
    assert "<script" not in page.text
    shown = set(re.findall(r'<details id="(\w+)">', page.text))
    assert shown == {operation["operationId"] for _, _, operation in conformity.operations()}
    assert "<code>upload_too_large</code>: The file is larger" in page.text


def test_what_is_in_a_description_is_no_markup() -> None:
    assert marked("<b>a</b> `<i>`") == "&lt;b&gt;a&lt;/b&gt; <code>&lt;i&gt;</code>"


def test_every_code_of_an_error_is_of_the_closed_list() -> None:
    known = set(conformity.document()["components"]["schemas"]["Problem"]["properties"]["code"]["enum"])
    for answer in conformity.document()["components"]["responses"].values():
        [schema] = [content["schema"] for content in answer["content"].values()]
        assert set(schema["properties"]["code"]["enum"]) <= known


def bodies() -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the JSON bodies of all operations, with the names of their types."""
    for _, _, operation in conformity.operations():
        parts = [operation.get("requestBody", {}), *operation["responses"].values()]
        for part in parts:
            schema = part.get("content", {}).get("application/json", {}).get("schema", {})
            for each in (schema, schema.get("items", {}), *schema.get("anyOf", ())):
                if name := each.get("$ref", "").rpartition("/")[2]:
                    yield name, each


def test_every_body_has_an_example_that_is_one() -> None:
    schemas = conformity.document()["components"]["schemas"]
    for name, schema in bodies():
        assert "examples" in schemas[name], f"give {name} an example in web/openapi/examples.py"
        conformity.validator(json.dumps(schema)).validate(schemas[name]["examples"][0])
    assert set(examples.every()) <= {name for name, _ in bodies()}


def answered(status: int, body: bytes, **headers: str) -> Any:
    head = {"X-Request-ID": "r", "Content-Type": "application/json", **headers}
    return conformity.check("GET", "/api/v1/workers", status, head, body)


def test_an_answer_that_is_not_described_fails_the_test_that_gets_it() -> None:
    answered(200, b'{"items": []}')
    for body in (b'{"items": [], "more": 1}', b'{"items": [{"name": "w1"}]}', b"[]"):
        with pytest.raises(AssertionError):
            answered(200, body)
    with pytest.raises(AssertionError, match="name what leads to it"):
        answered(418, b"{}")
    with pytest.raises(AssertionError, match="no such operation"):
        conformity.check("GET", "/api/v1/nothing", 200, {}, b"")
