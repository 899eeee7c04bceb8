from __future__ import annotations

import time

import pytest

from gateway.admission import Admission
from nextstream.errors import (
    NextStreamError,
    ServiceBroken,
    ServiceTimeout,
    ServiceUnavailable,
    UploadIncomplete,
)


def fail(admission: Admission, error: NextStreamError) -> None:
    with pytest.raises(type(error)), admission.watch():
        raise error


def test_a_service_that_fails_again_and_again_is_left_alone() -> None:
    admission = Admission(9, failures=3, rest_s=60)
    for _ in range(3):
        fail(admission, ServiceBroken())
    with pytest.raises(ServiceUnavailable), admission.watch():
        pytest.fail("it was asked")


def test_after_its_rest_one_good_answer_brings_a_service_back() -> None:
    admission = Admission(9, failures=1, rest_s=0.05)
    fail(admission, ServiceBroken())
    time.sleep(0.1)
    for _ in range(2):
        with admission.watch():
            pass
    fail(admission, ServiceBroken())


def test_after_its_rest_one_bad_answer_sends_a_service_back() -> None:
    admission = Admission(9, failures=2, rest_s=0.05)
    for _ in range(2):
        fail(admission, ServiceBroken())
    time.sleep(0.1)
    fail(admission, ServiceBroken())
    with pytest.raises(ServiceUnavailable), admission.watch():
        pytest.fail("it was asked")


def test_after_its_rest_one_request_at_a_time_tries_a_service_that_may_hang_still() -> None:
    """Else all that come meanwhile would wait for it with the first, until no seat is left."""
    admission = Admission(9, failures=1, rest_s=0.2)
    fail(admission, ServiceTimeout())
    time.sleep(0.3)
    with admission.watch():
        with pytest.raises(ServiceUnavailable), admission.watch():
            pytest.fail("two tried at once")
        time.sleep(0.3)  # one that takes long, as an upload does, holds up nobody for ever
        with admission.watch():
            pass
        with admission.watch():  # it is back
            pass


def test_good_answers_in_between_forgive_bad_ones() -> None:
    admission = Admission(9, failures=2, rest_s=60)
    for _ in range(5):
        fail(admission, ServiceBroken())
        with admission.watch():
            pass


def test_a_client_that_leaves_is_no_fault_of_the_service() -> None:
    admission = Admission(9, failures=1, rest_s=60)
    fail(admission, UploadIncomplete())
    with admission.watch():
        pass


def test_who_finds_no_seat_is_refused_at_once() -> None:
    admission = Admission(2)
    give_back = admission.take_seat()
    admission.take_seat()
    with pytest.raises(ServiceUnavailable, match="Too many"):
        admission.take_seat()
    give_back()
    admission.take_seat()
