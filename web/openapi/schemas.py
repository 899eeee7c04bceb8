"""JSON Schemas of the types that views parse and answer with, by pydantic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from web.contract import ErrorClass
from web.openapi import refusals

PLACE = "#/components/schemas/{model}"


class _Plain(GenerateJsonSchema):
    """Leaves out titles of members, which say no more than their names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  pydantic's signature
        return False


class Schemas:
    """Schemas of types, with the components they refer to."""

    def __init__(self, read: Iterable[Any], given: Iterable[Any]) -> None:
        """Take the types of requests, and those of answers."""
        wanted: dict[tuple[int, JsonSchemaMode], Any] = {}
        wanted.update({(id(each), "validation"): each for each in read})
        wanted.update({(id(each), "serialization"): each for each in given})
        self._types = list(wanted.values())  # so that no id is another's
        made, rest = TypeAdapter.json_schemas(
            [(key, mode, TypeAdapter(type_)) for (key, mode), type_ in wanted.items()],
            ref_template=PLACE,
            schema_generator=_Plain,
        )
        self._made = made
        self.components: dict[str, Any] = rest.get("$defs", {})

    def read(self, type_: Any) -> dict[str, Any]:
        """Give the schema of a type of requests."""
        return self._resolved(self._made[(id(type_), "validation")])

    def reference(self, type_: Any) -> dict[str, Any]:
        """Give the schema of a type of requests, by reference where it has a name."""
        return self._made[(id(type_), "validation")]

    def given(self, type_: Any) -> dict[str, Any]:
        """Give the schema of a type of answers."""
        return self._made[(id(type_), "serialization")]

    def close_codes(self, errors: Iterable[ErrorClass]) -> None:
        """Write the closed list of errors' codes into the schema of problem details."""
        sentences = {refusals.code(each): refusals.sentence(each) for each in errors}
        codes = self.components["Problem"]["properties"]["code"]
        codes["enum"] = sorted(sentences)
        codes["description"] = "\n".join(f"- `{code}`: {sentences[code]}" for code in codes["enum"])

    def add_examples(self, known: Mapping[str, Any]) -> None:
        """Give the types of these names an example."""
        for name in known.keys() & self.components.keys():
            self.components[name]["examples"] = [known[name]]

    def used(self, paths: Any) -> dict[str, Any]:
        """Give the components that paths refer to, directly or by others; queries need no names."""
        found: set[str] = set()
        new = _names(paths) | {"Problem"}
        while new:
            found |= new
            new = set().union(*(_names(self.components[name]) for name in new)) - found
        return {name: self.components[name] for name in sorted(found)}

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        name = schema.get("$ref", "").rpartition("/")[2]
        return self.components[name] if name else schema


def _names(part: Any) -> set[str]:
    """Give the names of the components that a part of the description refers to."""
    if isinstance(part, list):
        return set().union(*map(_names, part))
    if not isinstance(part, dict):
        return set()
    below = set().union(*map(_names, part.values()))
    prefix, _, name = str(part.get("$ref", "")).rpartition("/")
    return below | {name} if prefix == PLACE.rpartition("/")[0] else below
