"""Which errors an operation may answer with: those it names, and those that follow from the rest."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

from werkzeug.exceptions import (
    HTTPException,
    RequestEntityTooLarge,
    RequestHeaderFieldsTooLarge,
    RequestURITooLarge,
    UnsupportedMediaType,
)
from werkzeug.http import HTTP_STATUS_CODES

from nextstream import errors
from nextstream.domain.access import Action
from nextstream.errors import (
    BadRequest,
    Conflict,
    DatabaseUnavailable,
    IdempotencyMismatch,
    InsufficientScope,
    InvalidToken,
    NextStreamError,
    NotAllowed,
    NotAuthenticated,
    QueueUnavailable,
    RequestRunning,
    ServiceBroken,
    ServiceTimeout,
    ServiceUnavailable,
    StaleVideo,
    StorageError,
    StorageUnavailable,
    TicketRefused,
    TooManyRequests,
    VideoNotFound,
)
from web import problems
from web.contract import ErrorClass, Operation, Pass
from web.openapi import parameters

SAFE = frozenset({"get", "head", "options"})

# Of everything: requests that are none, what is around us, the gateway, and faults of our own.
EVERYWHERE: tuple[ErrorClass, ...] = (
    BadRequest,
    DatabaseUnavailable,
    NextStreamError,
    QueueUnavailable,
    RequestHeaderFieldsTooLarge,
    RequestURITooLarge,
    ServiceBroken,
    ServiceTimeout,
    ServiceUnavailable,
    StorageError,
    StorageUnavailable,
)
LOGIN = (InvalidToken, NotAllowed, NotAuthenticated, TooManyRequests)
OF_PASS: dict[Pass, tuple[ErrorClass, ...]] = {
    Pass.LOGIN: LOGIN,
    Pass.REFRESH: (InvalidToken, NotAuthenticated),
    Pass.TICKET: (TicketRefused, VideoNotFound),
}


def of(operation: Operation, method: str, names: Iterable[str]) -> list[ErrorClass]:
    """Give the errors of an operation whose path has parameters of these names."""
    found: set[ErrorClass] = {*EVERYWHERE, *operation.errors}
    if isinstance(operation.access, Action):
        found.update((*LOGIN, InsufficientScope))
    else:
        found.update(OF_PASS.get(operation.access, ()))
    if operation.is_once:
        found.update((IdempotencyMismatch, RequestRunning))
    if method not in SAFE:
        found.update((Conflict, InvalidToken, NotAllowed, StaleVideo))
    if isinstance(operation.body, type):
        found.update((RequestEntityTooLarge, UnsupportedMediaType))
    found.update(each for name in names if (each := parameters.PLACES[name].missing))
    return sorted(found, key=lambda error: (status(error), code(error)))


def code(error: ErrorClass) -> str:
    """Give an error's code, as problem details have it."""
    return (
        error.code
        if issubclass(error, NextStreamError)
        else problems.code_of(HTTP_STATUS_CODES[status(error)])
    )


def status(error: ErrorClass) -> int:
    """Give an error's HTTP status."""
    if issubclass(error, NextStreamError):
        return error.status
    return error.code or 500


def sentence(error: ErrorClass) -> str:
    """Give what an error says by default, to the person who has to act on it."""
    if issubclass(error, NextStreamError):
        return inspect.cleandoc(error.__doc__ or "")
    return str(error.description)


def known() -> Iterator[ErrorClass]:
    """Give all errors there are, for the closed list of codes."""
    yield from (getattr(errors, name) for name in errors.__all__)
    yield from (error for error in HTTPException.__subclasses__() if error.code in HTTP_STATUS_CODES)


def answers(some: Iterable[ErrorClass]) -> dict[str, list[ErrorClass]]:
    """Sort errors by their status."""
    sorted_: dict[str, list[ErrorClass]] = {}
    for error in some:
        sorted_.setdefault(str(status(error)), []).append(error)
    return sorted_


def name(some: list[ErrorClass]) -> str:
    """Give the name of the answer that one of these errors is."""
    return ".".join([str(status(some[0])), *map(code, some)])


def describe(some: list[ErrorClass]) -> dict[str, Any]:
    """Give the answer that one of these some, all of one status, is."""
    headers = [parameters.REQUEST_ID]
    headers += ["Retry-After"] if any(getattr(each, "retryable", False) for each in some) else []
    headers += ["WWW-Authenticate"] if status(some[0]) == 401 else []
    headers += parameters.RATE if TooManyRequests in some else []
    codes = [code(each) for each in some]
    schema = {
        "allOf": [{"$ref": "#/components/schemas/Problem"}],
        "properties": {"status": {"const": status(some[0])}, "code": {"enum": codes}},
    }
    examples = {code(each): {"value": _example(each)} for each in some}
    return {
        "description": "\n".join(f"- `{code(each)}`: {sentence(each)}" for each in some),
        "headers": parameters.told(headers),
        "content": {problems.MEDIA_TYPE: {"schema": schema, "examples": examples}},
    }


def _example(error: ErrorClass) -> dict[str, Any]:
    return {
        "type": f"urn:nextstream:problem:{code(error)}",
        "title": sentence(error),
        "status": status(error),
        "code": code(error),
        "detail": sentence(error),
        "request_id": "b1946ac92492d2347c6235b4d2611184",
    }
