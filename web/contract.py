"""What a view promises, said beside it: who may call it, what it reads, gives and refuses.

`web/openapi` makes the API's description of it. `http.read_json` and `http.read_query` take nothing
else than what is declared here, and `tests/unit/test_openapi.py` fails for a view that declares nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from pydantic import BaseModel
from werkzeug.exceptions import HTTPException

from nextstream.domain.access import Action
from nextstream.errors import NextStreamError

V = TypeVar("V", bound=Callable[..., Any])
ErrorClass = type[NextStreamError] | type[HTTPException]

JSON = "application/json"
ONCE = "__once__"  # set by idempotency.once, which stands below
_ATTRIBUTE = "__contract__"


class Pass(StrEnum):
    """By what else than a right of their role a caller gets in."""

    NOTHING = "nothing"
    LOGIN = "a login of any scope"
    REFRESH = "a refresh token"
    ADDRESS = "a secret in the address"
    TICKET = "the video's visibility, or a ticket"


@dataclass(frozen=True)
class Answer:
    """One answer: the type of its JSON body or a JSON Schema of another, and headers it may have."""

    body: Any = None
    media: tuple[str, ...] = (JSON,)
    headers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Media:
    """A request's body that is no JSON: its media types, and a JSON Schema where it has members."""

    types: tuple[str, ...]
    schema: Mapping[str, Any] | None = None
    required: bool = True


@dataclass(frozen=True)
class Operation:
    """What a view promises; `name` is the operationId, which clients' methods are called by."""

    name: str
    access: Action | Pass
    answers: Mapping[int, Answer]
    query: type[BaseModel] | None = None
    body: type[BaseModel] | Media | None = None
    sends: tuple[str, ...] = ()
    errors: tuple[ErrorClass, ...] = ()
    is_once: bool = False


def operation(
    access: Action | Pass,
    name: str | None = None,
    *,
    query: type[BaseModel] | None = None,
    body: type[BaseModel] | Media | None = None,
    sends: tuple[str, ...] = (),
    gives: Mapping[int, Any],
    errors: tuple[ErrorClass, ...] = (),
) -> Callable[[V], V]:
    """Say what a view promises.

    `sends` names request headers it reads, `gives` has the JSON body's type, an Answer or None for
    each status, `errors` what it may raise beyond what follows from the rest (`openapi/refusals.py`).
    """

    def declare(view: V) -> V:
        answers = {status: _answer(given) for status, given in gives.items()}
        is_once = getattr(view, ONCE, False)
        made = Operation(name or view.__name__, access, answers, query, body, sends, errors, is_once)
        setattr(view, _ATTRIBUTE, made)
        return view

    return declare


def of(view: Callable[..., Any]) -> Operation | None:
    """Give what a view promises, or None where it says nothing."""
    return getattr(view, _ATTRIBUTE, None)


def check_body(view: Callable[..., Any], model: type[BaseModel]) -> None:
    """Raise LookupError where a view parses another body than it says."""
    found = of(view)
    if found is None or found.body is not model:
        raise LookupError(f"{view.__name__} must declare body={model.__name__}")


def check_query(view: Callable[..., Any], model: type[BaseModel]) -> None:
    """Raise LookupError where a view parses another query than it says."""
    found = of(view)
    if found is None or found.query is not model:
        raise LookupError(f"{view.__name__} must declare query={model.__name__}")


def _answer(given: Any) -> Answer:
    return given if isinstance(given, Answer) else Answer(given)
