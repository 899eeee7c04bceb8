"""Faults that pass are outlasted, others are not waited for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nextstream.adapters.storage_memory import MemoryStorage
from nextstream.errors import ClaimLost, EncoderFailed, NextStreamError, StorageUnavailable
from nextstream.services import patience


def faulty(times: int, error: NextStreamError) -> tuple[Callable[[], int], list[int]]:
    tries: list[int] = []

    def step() -> int:
        tries.append(1)
        if len(tries) <= times:
            raise error
        return 7

    return step, tries


def test_a_step_is_repeated_until_its_fault_has_passed() -> None:
    step, tries = faulty(2, StorageUnavailable())
    assert patience.persist(step, 30) == 7
    assert len(tries) == 3


@pytest.mark.parametrize("error", [EncoderFailed(), ClaimLost(), NextStreamError()])
def test_what_does_not_pass_is_raised_at_once(error: NextStreamError) -> None:
    step, tries = faulty(9, error)
    with pytest.raises(type(error)):
        patience.persist(step, 30)
    assert len(tries) == 1


def test_patience_has_an_end() -> None:
    step, _ = faulty(10**9, StorageUnavailable())
    with pytest.raises(StorageUnavailable):
        patience.persist(step, 0.2)


def test_who_may_not_go_on_does_not_try_again() -> None:
    step, tries = faulty(9, StorageUnavailable())

    def go_on() -> None:
        if tries:
            raise ClaimLost

    with pytest.raises(ClaimLost):
        patience.persist(step, 30, go_on)
    assert len(tries) == 1


def test_pauses_grow_stay_bounded_and_differ() -> None:
    pauses = [[patience.pause_s(tries) for _ in range(50)] for tries in (0, 5, 5000)]
    assert max(pauses[0]) <= patience.FIRST_PAUSE_S
    assert max(pauses[2]) <= patience.LONGEST_PAUSE_S
    assert max(pauses[2]) > 10 * max(pauses[0])
    assert len(set(pauses[2])) > 5


def test_a_patient_storage_asks_before_each_call_and_does_the_rest_as_ever() -> None:
    asked: list[int] = []
    storage = patience.patient(MemoryStorage(), 1, lambda: asked.append(1))
    storage.put("a", b"x", "text/plain")
    assert storage.read("a") == b"x"
    assert [stored.key for stored in storage.list("")] == ["a"]
    assert len(asked) == 2
