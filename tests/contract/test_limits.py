"""What every way to count does, and what happens to counts while Redis is away."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from nextstream.adapters import limits_memory
from nextstream.adapters.limits_memory import MemoryLimits
from nextstream.adapters.limits_redis import AWAY_S, RedisLimits
from nextstream.domain.limits import Attempt, Pace, Quota
from nextstream.ports import Limits
from tests import servers

QUOTA = Quota(3, 60)
PACE = Pace(3, first_wait_s=60, longest_wait_s=200)


@pytest.fixture(params=["memory", "redis", "redis away"])
def limits(request: pytest.FixtureRequest) -> Limits:
    if request.param == "redis":
        return RedisLimits(request.getfixturevalue("redis_url"))
    if request.param == "redis away":
        return RedisLimits(f"redis://127.0.0.1:{servers.free_port()}")
    return MemoryLimits()


@pytest.fixture
def key() -> str:
    return uuid.uuid4().hex


def test_a_quota_is_taken_down_to_nothing_and_tells_when_it_begins_anew(
    limits: Limits, key: str
) -> None:
    standings = [limits.take(key, QUOTA) for _ in range(5)]
    assert [standing.allowed for standing in standings] == [True, True, True, False, False]
    assert [standing.remaining for standing in standings] == [2, 1, 0, 0, 0]
    assert all(50 < standing.reset_s <= 60 for standing in standings)
    assert limits.take(f"{key}-other", QUOTA).remaining == 2


def test_a_window_that_is_over_begins_anew(limits: Limits, key: str) -> None:
    quota = Quota(1, 1)
    limits.take(key, quota)
    deadline = time.monotonic() + 30
    while not limits.take(key, quota).allowed:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_tries_beyond_the_free_ones_bring_a_wait(limits: Limits, key: str) -> None:
    assert [limits.begin(key, PACE) for _ in range(2)] == [Attempt(0, 0)] * 2
    assert limits.begin(key, PACE) == Attempt(0, 60)
    refused = limits.begin(key, PACE)
    assert 50 < refused.wait_s <= 60


def test_the_wait_doubles_and_a_refused_try_does_not_count(limits: Limits, key: str) -> None:
    pace = Pace(1, first_wait_s=0.05, longest_wait_s=0.3)
    waits: list[float] = []
    deadline = time.monotonic() + 30
    while len(waits) < 4:
        assert time.monotonic() < deadline
        attempt = limits.begin(key, pace)
        if not attempt.wait_s:
            waits.append(attempt.next_wait_s)
        time.sleep(attempt.wait_s / 2)  # half-way, and so refused once more
    assert waits == pytest.approx([0.05, 0.1, 0.2, 0.3])


def test_of_many_tries_at_once_no_more_get_in_than_one_after_the_other(limits: Limits, key: str) -> None:
    with ThreadPoolExecutor(16) as pool:
        attempts = list(pool.map(lambda _: limits.begin(key, PACE), range(50)))
    assert sum(attempt.wait_s == 0 for attempt in attempts) == PACE.free


def test_a_try_that_was_right_is_taken_back_and_its_wait_with_it(limits: Limits, key: str) -> None:
    for _ in range(PACE.free):
        limits.begin(key, PACE)
    limits.refund(key)
    assert limits.begin(key, PACE) == Attempt(0, 60)
    limits.refund(f"{key}-unknown")
    assert limits.begin(f"{key}-unknown", PACE) == Attempt(0, 0)


def test_a_right_try_after_many_wrong_ones_takes_its_wait_back_and_no_count_of_theirs(
    limits: Limits, key: str
) -> None:
    pace = Pace(1, first_wait_s=0.01)
    for _ in range(3):
        while limits.begin(key, pace).wait_s:
            time.sleep(0.01)
    slow = Pace(1, first_wait_s=10)
    while (right := limits.begin(key, slow)).wait_s:
        time.sleep(0.01)
    limits.refund(key)
    assert limits.begin(key, slow) == right == Attempt(0, 80)


def test_what_is_forgotten_begins_anew(limits: Limits, key: str) -> None:
    for _ in range(PACE.free):
        limits.begin(key, PACE)
    limits.forget(key)
    limits.forget(f"{key}-unknown")
    assert limits.begin(key, PACE) == Attempt(0, 0)


def test_all_processes_count_together(redis_url: str, key: str) -> None:
    one, other = RedisLimits(redis_url), RedisLimits(redis_url)
    assert [each.take(key, QUOTA).remaining for each in (one, other, one)] == [2, 1, 0]
    assert not other.take(key, QUOTA).allowed


def test_a_redis_that_goes_and_comes_back_is_used_again(key: str) -> None:
    now_s = 0.0
    with servers.redis() as url, redis.Redis.from_url(url, socket_timeout=60) as server:
        limits = RedisLimits(url, lambda: now_s)
        assert limits.take(key, QUOTA).remaining == 2
        server.client_pause(3000)
        assert [limits.take(key, QUOTA).remaining for _ in range(3)] == [2, 1, 0]  # counted here
        assert not limits.take(key, QUOTA).allowed
        assert server.ping()  # it waited for the pause's end
        assert not limits.take(key, QUOTA).allowed  # not asked yet
        now_s += AWAY_S
        assert limits.take(key, QUOTA).allowed


def test_memory_is_bounded_however_many_keys_are_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_memory, "KEYS_MAX", 100)
    limits = MemoryLimits()
    for number in range(1000):
        limits.take(str(number), QUOTA)
    assert len(limits._counts) <= 100
    assert limits.take("999", QUOTA).remaining == 1


@pytest.mark.parametrize(
    ("text", "quota"),
    [
        ("600/60", Quota(600, 60)),
        ("", None),
        ("0/60", None),
        ("5/0", None),
        ("x", None),
        ("-1/60", None),
    ],
)
def test_a_quota_is_read_from_its_setting(text: str, quota: Quota | None) -> None:
    assert Quota.parse(text) == quota


def test_a_wait_never_overflows() -> None:
    wait: Callable[[int], float] = Pace(5).wait_s
    assert [wait(tries) for tries in (0, 4, 5, 6, 14, 15, 10**9)] == [0, 0, 1, 2, 512, 900, 900]
