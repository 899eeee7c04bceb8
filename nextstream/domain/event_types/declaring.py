"""How an event is declared: a frozen dataclass for its data, under the names of its types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass, field
from typing import Any, ClassVar, TypeVar


def tells(description: str, default: Any = MISSING) -> Any:
    """Describe a field; the description goes into the schema."""
    return field(default=default, metadata={"description": description})


@dataclass(frozen=True, kw_only=True)
class Data:
    """What an event tells besides what, whose and when; nothing but what is declared."""

    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}  # for who makes schemas of it


TYPES: dict[str, type[Data]] = {}
T = TypeVar("T", bound=type[Data])


def declare(type_: str) -> Callable[[T], T]:
    """Make a class the data of an event type."""

    def note(data: T) -> T:
        TYPES[type_] = data
        return data

    return note
