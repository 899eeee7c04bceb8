"""Every event is as it is declared, and docs/events says so."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from nextstream import event_schemas, wiring
from nextstream.domain.event_types import TYPES
from nextstream.domain.events import LIST_MAX, MARK, TEXT_MAX, Event, happen
from nextstream.services import operations

FOLDER = Path(__file__).parents[2] / "docs/events"
NOW = datetime(2030, 1, 1, tzinfo=UTC)
PROMISED = {
    *(f"video.{name}" for name in ("created", "uploaded", "probed", "playable", "rendition.ready")),
    *(f"video.{name}" for name in ("ready", "failed", "cancelled", "deleted")),
    *(f"task.{name}" for name in ("started", "retried", "failed", "revoked")),
    *(f"worker.{name}" for name in ("online", "draining", "offline")),
}


def test_docs_hold_what_the_code_declares() -> None:
    found = {path.name: path.read_text() for path in FOLDER.iterdir()}
    assert found == dict(event_schemas.files()), "run: python -m nextstream schemas docs/events"


def test_the_events_that_are_promised_are_declared() -> None:
    assert TYPES.keys() >= PROMISED


@pytest.mark.parametrize("type_", sorted(TYPES))
def test_each_schema_is_one_of_its_dialect_and_says_what_every_field_is(type_: str) -> None:
    schema = json.loads((FOLDER / f"{type_}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    data = schema["properties"]["data"]
    assert data["description"]
    assert all(each["description"] for each in data["properties"].values())


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("video.vanished", {}),
        ("video.uploaded", {}),
        ("video.uploaded", {"size_bytes": "9"}),
        ("video.uploaded", {"size_bytes": 9, "color": "red"}),
        ("video.changed", {"by": "a", "visibility": "secret"}),
    ],
)
def test_what_is_not_declared_cannot_be_noted_in_tests(type_: str, data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=type_):
        operations.note(wiring.in_memory(), type_, "v1", **data)


def test_a_receiver_that_checks_is_not_broken_by_a_new_field() -> None:
    body = happen("video.uploaded", "v1", NOW, size_bytes=9, more=1).body()
    jsonschema.validate(body, event_schemas.schema("video.uploaded"))
    body["data"].pop("size_bytes")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(body, event_schemas.schema("video.uploaded"))


def test_an_event_without_its_data_says_so_and_is_good() -> None:
    body = happen("video.uploaded", "v1", NOW, size_bytes=9).short_body()
    assert body["datacut"] is True
    jsonschema.validate(body, event_schemas.schema("video.uploaded"))
    del body["datacut"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(body, event_schemas.schema("video.uploaded"))


def test_long_texts_and_lists_are_cut_with_a_mark_wherever_they_are() -> None:
    long, short = "x" * 10_000_000, "y" * TEXT_MAX
    made = happen("task.failed", "v1", NOW, detail=long, error=short, more={"deep": [long] * 500})
    assert made.data["error"] == short
    assert made.data["detail"] == "x" * (TEXT_MAX - len(MARK)) + MARK
    assert made.data["more"]["deep"] == [made.data["detail"]] * LIST_MAX
    assert len(json.dumps(Event.body(made))) < 250_000


def test_asyncapis_own_parser_finds_no_fault(node_modules: Path) -> None:
    command = ["node", "-e", _PARSE, str(FOLDER / "asyncapi.json")]
    done = subprocess.run(command, cwd=node_modules.parent, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["faults"] == []
    assert set(found["messages"]) == TYPES.keys()


_PARSE = """
const { Parser } = require("@asyncapi/parser");
const text = require("fs").readFileSync(process.argv[1], "utf8");
new Parser().parse(text).then(({ document, diagnostics }) => console.log(JSON.stringify({
  faults: diagnostics.filter((each) => each.severity < 2),
  messages: document ? document.allMessages().all().map((each) => each.id()) : [],
})));
"""
