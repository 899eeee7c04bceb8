"""Outlasting what passes: a storage or database that is away comes back, and the work isn't lost."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from itertools import count
from typing import Any, TypeVar, cast

from nextstream.errors import MediaError, NextStreamError
from nextstream.ports import Storage

T = TypeVar("T")

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
REPEATABLE = frozenset({"put", "read", "head", "remove"})  # of a storage: those that may run twice


def passes(error: NextStreamError) -> bool:
    """Tell a fault of the surroundings, which passes, from one of the source or the encode."""
    return error.retryable and not isinstance(error, MediaError)


def persist(step: Callable[[], T], patience_s: float, go_on: Callable[[], None] = lambda: None) -> T:
    """Run a step until it succeeds, with growing pauses, and raise what doesn't pass or lasts too long.

    `go_on` is asked before each try, and stops it all by raising.
    """
    until = time.monotonic() + patience_s
    for tries in count():
        go_on()
        try:
            return step()
        except NextStreamError as error:
            if not passes(error) or time.monotonic() > until:
                raise
        time.sleep(pause_s(tries))
    raise AssertionError  # count() never ends


def pause_s(tries: int) -> float:
    """Give the seconds to wait: doubled each time, with jitter, so that not all come back at once."""
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(tries, 10))
    return random.uniform(FIRST_PAUSE_S / 2, longest)  # noqa: S311  nothing secret  # nosec B311


class _Patient:
    """A storage whose repeatable calls persist, and are made only as long as `go_on` lets them."""

    def __init__(self, storage: Storage, patience_s: float, go_on: Callable[[], None]) -> None:
        self._storage = storage
        self._patience_s = patience_s
        self._go_on = go_on

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._storage, name)
        if name not in REPEATABLE:
            return method
        return lambda *args: persist(lambda: method(*args), self._patience_s, self._go_on)


def patient(storage: Storage, patience_s: float, go_on: Callable[[], None]) -> Storage:
    """Give a storage that outlasts faults; `go_on` is asked before each call, as persist does."""
    return cast(Storage, _Patient(storage, patience_s, go_on))
