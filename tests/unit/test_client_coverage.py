"""The client can do all that the API's description has, but for what is named here with its reason."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import nextstream.client
from tests import conformity

CLIENT = Path(inspect.getfile(nextstream.client)).parent

# Sent to addresses that are no text in the client's code.
BY_ADDRESS = {
    "refresh_tokens": "login.Login, when a token ends",
    "create_tus_upload": "uploads.send",
    "get_tus_upload": "uploads.send, to the address that the creation gave",
    "append_tus_upload": "uploads.send",
    "begin_direct_upload": "uploads.send_to",
    "get_direct_upload": "uploads.send_to",
    "append_direct_upload": "uploads.send_to",
    "download_rendition": "downloads.save, from the address that the video tells",
    "download_rendition_by_ticket": "downloads.save of a private video",
}
LEFT_OUT = {
    **dict.fromkeys(
        ("upload_form", "upload_video", "put_direct_upload"), "what breaks off begins anew: send goes on"
    ),
    **dict.fromkeys(
        ("describe_tus", "describe_tus_upload", "describe_direct_upload"), "the client knows the server"
    ),
    **dict.fromkeys(
        ("terminate_tus_upload", "terminate_direct_upload"),
        "videos.delete ends the upload of a video, too",
    ),
    **dict.fromkeys(
        (
            *("create_multipart_upload", "sign_part", "list_parts"),
            *("complete_multipart_upload", "abort_multipart_upload"),
        ),
        "for browsers, by Uppy; a program is as fast by tus",
    ),
    **dict.fromkeys(("list_public_keys",), "for services that check tokens themselves"),
    **dict.fromkeys(
        ("get_openapi", "get_asyncapi", "get_health", "get_readiness"), "for tools, not for programs"
    ),
    **dict.fromkeys(("get_event_lag",), "for operators, who have it in doctor and in their alerts"),
}
# What players fetch; Video.playback and Ticket have the addresses.
PLAYED = re.compile(r"(/p/\{\})?/v/\{\}/|/p/\{\}/v/")


def test_every_operation_is_asked_by_the_client_or_left_out_for_a_reason() -> None:
    asked, named = set(requests()), {**BY_ADDRESS, **LEFT_OUT}
    described = {
        operation["operationId"]: (method.upper(), re.sub(r"\{\w+\}", "{}", path))
        for path, method, operation in conformity.operations()
    }
    silent = {
        name
        for name, (method, path) in described.items()
        if (method, path) not in asked and name not in named and not PLAYED.match(path)
    }
    assert not silent, "give the client a method for it, or name it in LEFT_OUT with a reason"
    assert set(named) <= set(described), "these operations are gone"
    assert not {name for name in named if described[name] in asked}, "these are asked for by their path"
    assert asked <= set(described.values()), "the client asks for what isn't there"


def requests() -> Iterator[tuple[str, str]]:
    """Give the methods and paths that stand in the client's code."""
    for file in CLIENT.glob("*.py"):
        for function in ast.walk(ast.parse(file.read_text())):
            if isinstance(function, ast.FunctionDef):
                yield from requests_of(function)


def requests_of(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    known = dict(assigned(function))
    for call in ast.walk(function):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        if call.func.attr == "pages":
            method, path = "GET", call.args[0]
        elif call.func.attr in ("call", "json") and len(call.args) == 2:
            method, path = ast.literal_eval(call.args[0]) if is_text(call.args[0]) else "", call.args[1]
        else:
            continue
        text = template(path) or (known.get(path.id) if isinstance(path, ast.Name) else None)
        if method and text:
            yield method, text


def assigned(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    """Give the variables that hold a path."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            pairs = [(node.targets[0], node.value)]
            if isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(node.targets[0].elts, node.value.elts, strict=True))
            for target, value in pairs:
                if isinstance(target, ast.Name) and (text := template(value)):
                    yield target.id, text


def template(node: ast.expr) -> str | None:
    """Give a path with braces where values stand in it."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    text = "".join(str(ast.literal_eval(part)) if is_text(part) else "{}" for part in parts)
    return text if text.startswith("/") else None


def is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
