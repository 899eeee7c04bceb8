"""JSON Schemas of the events, and their AsyncAPI document, made from domain/event_types.

docs/events is generated from this file by `python -m nextstream schemas docs/events`.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from nextstream.domain.event_types import TYPES
from nextstream.domain.events import CUT, FOLLOWED, SOURCE, Event
from nextstream.settings import Settings

CONTENT_TYPE = "application/cloudevents+json"


def check(event: Event) -> None:
    """Raise ValueError for an event that isn't declared, or whose data isn't as declared."""
    if event.type not in TYPES:
        raise ValueError(f"{event.type} is no event; declare it in nextstream/domain/event_types")
    try:
        _adapter(event.type).validate_json(json.dumps(event.body()["data"]))
    except ValidationError as error:
        raise ValueError(f"{event.type} isn't as declared: {error}") from error


def schema(type_: str) -> dict[str, Any]:
    """Give the JSON Schema (2020-12) of an event's whole body (CloudEvents 1.0.2, JSON format).

    Data may have more fields than it names: later versions add some.
    """
    own = _own(type_)
    return {**_ENVELOPE, **own, "properties": {**_ENVELOPE["properties"], **own["properties"]}}


def asyncapi() -> dict[str, Any]:
    """Give the AsyncAPI 3.0.0 document of all events, on Kafka, webhooks and server-sent events."""
    everything = {name: _ref("components", "messages", name) for name in sorted(TYPES)}
    followed = {name: ref for name, ref in everything.items() if name.startswith(FOLLOWED)}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "NextStream", "version": "1.0.0", "description": _ABOUT},
        "defaultContentType": CONTENT_TYPE,
        "channels": {
            "kafka": {**_KAFKA, "messages": everything},
            "webhook": {**_WEBHOOK, "messages": everything},
            "video": {**_VIDEO, "messages": followed},
        },
        "operations": {
            name: {"action": "send", "channel": _ref("channels", channel), "summary": summary}
            for name, channel, summary in _OPERATIONS
        },
        "components": {
            "messages": {name: _message(name) for name in sorted(TYPES)},
            "schemas": {"event": _ENVELOPE} | {name: _own(name) for name in sorted(TYPES)},
        },
    }


def files() -> Mapping[str, str]:
    """Give the files of docs/events by their names."""
    schemas = {
        f"{name}.json": _write(
            {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema(name)}
        )
        for name in sorted(TYPES)
    }
    return {"README.md": _page(), "asyncapi.json": _write(asyncapi()), **schemas}


@cache
def _adapter(type_: str) -> TypeAdapter[Any]:
    return TypeAdapter(TYPES[type_])


def _own(type_: str) -> dict[str, Any]:
    """Give what the schema of an event has beyond what all have."""
    return {
        "title": type_,
        "description": _describe(type_),
        "properties": {
            "type": {"const": type_},
            "data": _open(_inline(_adapter(type_).json_schema())),
        },
    }


def _describe(type_: str) -> str:
    return inspect.getdoc(TYPES[type_]) or ""


def _message(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "title": name,
        "summary": _describe(name),
        "contentType": CONTENT_TYPE,
        "payload": {"allOf": [_ref("components", "schemas", each) for each in ("event", name)]},
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": "0.5.0"}},
    }


def _ref(*path: str) -> dict[str, str]:
    return {"$ref": f"#/{'/'.join(path)}"}


def _inline(found: Any, defs: Mapping[str, Any] | None = None) -> Any:
    """Give a schema without references and pydantic's titles: AsyncAPI's own dialect has other names."""
    if not isinstance(found, dict):
        return found
    defs = defs or found.get("$defs", {})
    if "$ref" in found:
        return _inline(defs[found["$ref"].rpartition("/")[2]], defs) | {
            key: value for key, value in found.items() if key != "$ref"
        }
    inlined = {key: _inline(value, defs) for key, value in found.items() if key not in _NOISE}
    if "anyOf" in found:
        inlined["anyOf"] = [_inline(each, defs) for each in found["anyOf"]]
    if "properties" in found:
        inlined["properties"] = {k: _inline(v, defs) for k, v in found["properties"].items()}
    return inlined


def _open(found: Any) -> Any:
    """Let objects have more fields: a receiver that checks must not fail when one is added."""
    if not isinstance(found, dict):
        return found
    return {
        key: _open(value)
        for key, value in found.items()
        if not (key == "additionalProperties" and value is False)
    }


def _write(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _page() -> str:
    rows = [
        f"| [`{name}`]({name}.json) | {_describe(name)} | {_fields(name)} |" for name in sorted(TYPES)
    ]
    return "\n".join([_HEAD, *rows, ""])


def _fields(name: str) -> str:
    data = schema(name)["properties"]["data"]
    required = data.get("required", [])
    marked = [each if each in required else f"{each}?" for each in data["properties"]]
    return ", ".join(f"`{each}`" for each in marked)


_TEXT = {"type": "string", "minLength": 1}
_ENVELOPE: dict[str, Any] = {
    "type": "object",
    "required": ["specversion", "id", "source", "type", "subject", "time"],
    "anyOf": [{"required": ["data"]}, {"required": [CUT]}],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {**_TEXT, "description": "Names the event; one that comes twice has the same."},
        "source": {"const": SOURCE},
        "type": _TEXT,
        "subject": {**_TEXT, "description": "The key: events of one key come in their order."},
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "requestid": {**_TEXT, "description": "The X-Request-ID of the request that began it."},
        "traceparent": {**_TEXT, "description": "The span it is a part of (W3C Trace Context)."},
        CUT: {"const": True, "description": "Data was too large for Kafka, and is left out."},
    },
}
_NOISE = ("title", "$defs", "default", "properties", "anyOf")

_ABOUT = (
    "What happens to videos, tasks, workers and accounts, as CloudEvents 1.0 in structured JSON: the "
    "same body on every channel. Each event is sent at least once, and one that comes again has the "
    "same id. Events of one subject come in their order."
)
_KAFKA = {
    "address": Settings().kafka_topic,
    "title": "Kafka",
    "description": "All events; the message's key is the event's subject.",
    "bindings": {
        "kafka": {
            "topic": Settings().kafka_topic,
            "partitions": Settings().kafka_partitions,
            "bindingVersion": "0.5.0",
        }
    },
}
_WEBHOOK = {
    "address": None,
    "title": "Webhooks",
    "description": "POST to the address that a webhook names, with the events it asked for, signed as "
    "the Standard Webhooks specification says.",
}
_VIDEO = {
    "address": "/api/v1/videos/{video_id}/events",
    "title": "Server-sent events",
    "description": "What happens to one video, for its owner; an event's body is a message's data.",
    "parameters": {"video_id": {"description": "The video."}},
}
_OPERATIONS = (
    ("sendToKafka", "kafka", "Send every event to Kafka."),
    ("sendToWebhook", "webhook", "Send an event to a webhook."),
    ("sendToFollower", "video", "Tell who follows a video of an event."),
)
_HEAD = """# Events

Every event is a CloudEvent 1.0 in structured JSON, with the same body on Kafka, to webhooks and on
server-sent events. `asyncapi.json` describes the channels, and each type has a JSON Schema here. A
field with `?` may be absent. Texts are cut at 2,000 characters. This folder is generated by
`python -m nextstream schemas docs/events`; a server gives its own at `/api/v1/asyncapi.json`.

| Type | What happened | Data |
| --- | --- | --- |"""
