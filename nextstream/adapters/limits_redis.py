"""Counts in Redis, for all processes together; while it is away, each process counts for itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from nextstream.adapters.limits_memory import MemoryLimits
from nextstream.domain.limits import Attempt, Pace, Quota, Standing

log = structlog.get_logger()

T = TypeVar("T")

PREFIX = "nextstream:limits:"
TIMEOUT_S = 0.5  # a login must not hang on its limiter
AWAY_S = 5.0  # before Redis is tried again

# One script is one step: of many at once each sees what the others did. Times are milliseconds.
_TAKE = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return {count, redis.call('PTTL', KEYS[1])}
"""
_BEGIN = """
local wait = redis.call('PTTL', KEYS[2])
if wait > 0 then return {wait, 0} end
local late = redis.call('INCR', KEYS[1]) - tonumber(ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
if late < 0 then return {0, 0} end
local next = math.min(tonumber(ARGV[2]) * 2 ^ math.min(late, 32), tonumber(ARGV[3]))
redis.call('SET', KEYS[2], '1', 'PX', string.format('%d', math.max(next, 1)))
return {0, math.floor(next)}
"""
_REFUND = """
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('DECR', KEYS[1]) end
redis.call('DEL', KEYS[2])
"""


class RedisLimits:
    """Counts by key in a Redis, connected when first used."""

    def __init__(self, url: str, tell_s: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis.Redis.from_url(
            url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),  # its own retries would take seconds of a login
        )
        self._here = MemoryLimits()
        self._tell_s = tell_s
        self._away_until_s = 0.0
        self._scripts = {text: self._redis.register_script(text) for text in (_TAKE, _BEGIN, _REFUND)}

    def take(self, key: str, quota: Quota) -> Standing:
        """Count one."""

        def there() -> Standing:
            count, ttl_ms = self._run(_TAKE, [key], [quota.window_s * 1000])
            left = quota.limit - int(count)
            return Standing(left >= 0, max(left, 0), max(int(ttl_ms), 0) / 1000)

        return self._ask(there, lambda: self._here.take(key, quota))

    def begin(self, key: str, pace: Pace) -> Attempt:
        """Count a try."""

        def there() -> Attempt:
            wait_ms, next_ms = self._run(_BEGIN, _pair(key), _numbers(pace))
            return Attempt(int(wait_ms) / 1000, int(next_ms) / 1000)

        return self._ask(there, lambda: self._here.begin(key, pace))

    def refund(self, key: str) -> None:
        """Take back one try and its wait."""
        self._ask(lambda: self._run(_REFUND, _pair(key), []), lambda: self._here.refund(key))

    def forget(self, key: str) -> None:
        """Forget all tries."""
        self._here.forget(key)  # counted there while Redis was away
        names = [PREFIX + name for name in _pair(key)]
        self._ask(lambda: self._redis.delete(*names), lambda: None)

    def _run(self, script: str, keys: list[str], numbers: list[int]) -> Any:
        return self._scripts[script](keys=[PREFIX + key for key in keys], args=numbers)

    def _ask(self, there: Callable[[], T], here: Callable[[], T]) -> T:
        """Ask Redis, or count here where it doesn't answer; it is left alone for a while then."""
        if self._tell_s() >= self._away_until_s:
            try:
                return there()
            except redis.RedisError as error:
                self._away_until_s = self._tell_s() + AWAY_S
                log.warning("limits are counted in this process, Redis is away", error=str(error))
        return here()


def _pair(key: str) -> list[str]:
    return [key, f"{key}:wait"]


def _numbers(pace: Pace) -> list[int]:
    times_s = (pace.first_wait_s, pace.longest_wait_s, pace.memory_s)
    return [pace.free, *(round(time_s * 1000) for time_s in times_s)]
