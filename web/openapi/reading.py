"""The API's description as people read it: operations by subject, with what they refer to at hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

Part = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """One operation: `parameters` and `answers` are whole, without references."""

    method: str
    path: str
    about: Part
    parameters: list[Part]
    answers: dict[str, Part]


class Reader:
    """Reads a description."""

    def __init__(self, document: Part) -> None:
        self._document = document

    @property
    def about(self) -> Part:
        """Give what the description says of the API as a whole."""
        return dict(self._document["info"])

    @property
    def errors(self) -> list[str]:
        """Give a line for each error's code."""
        problem = self._document["components"]["schemas"]["Problem"]
        return str(problem["properties"]["code"]["description"]).replace("- `", "`").splitlines()

    @property
    def schemes(self) -> Part:
        """Give the ways to log in."""
        return dict(self._document["components"]["securitySchemes"])

    def subjects(self) -> Iterator[tuple[Part, list[Entry]]]:
        """Give each tag with its operations."""
        for tag in self._document["tags"]:
            yield tag, [each for each in self._entries() if each.about["tags"] == [tag["name"]]]

    def whole(self, part: Part) -> Part:
        """Give a part itself in place of a reference to it."""
        found: Any = part
        while "$ref" in found:
            names, found = found["$ref"].removeprefix("#/").split("/"), self._document
            for name in names:
                found = found[name]
        return dict(found)

    def example(self, content: Part) -> str | None:
        """Give the example of a body as indented JSON, or None."""
        schema = content.get("schema", {})
        for each in (schema, *schema.get("anyOf", ()), schema.get("items", {})):
            if examples := self.whole(each).get("examples"):
                return json.dumps(examples[0], indent=2)
        return None

    def kind(self, schema: Part) -> str:
        """Say a schema's type in a few words."""
        if "$ref" in schema:
            found = self.whole(schema)
            return self.kind(found) if "enum" in found else schema["$ref"].rpartition("/")[2]
        if "anyOf" in schema:
            return " or ".join(map(self.kind, schema["anyOf"]))
        if "enum" in schema or "const" in schema:
            return " | ".join(map(str, schema.get("enum") or [schema["const"]]))
        if schema.get("type") == "array":
            return f"list of {self.kind(schema.get('items', {}))}"
        return str(schema.get("format") or schema.get("type", "anything"))

    def _entries(self) -> Iterator[Entry]:
        for path, methods in self._document["paths"].items():
            for method, about in methods.items():
                answers = {status: self.whole(each) for status, each in about["responses"].items()}
                yield Entry(method, path, about, [self.whole(p) for p in about["parameters"]], answers)


def marked(text: str) -> Markup:
    """Give text for a page, with what stands in backticks as code."""
    code = Markup("<code>{}</code>")
    parts = enumerate(text.split("`"))
    return Markup("").join(code.format(part) if n % 2 else escape(part) for n, part in parts)
