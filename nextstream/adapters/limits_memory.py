"""Counts in this process: the twin for tests, and what holds where Redis is away."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from nextstream.domain.limits import Attempt, Pace, Quota, Standing

KEYS_MAX = 50_000  # then what is over is thrown away, and at worst the oldest: memory is bounded


@dataclass
class _Count:
    value: int
    ends_s: float
    waits_until_s: float = 0.0


class MemoryLimits:
    """Counts by key, each for its time."""

    def __init__(self, tell_s: Callable[[], float] = time.monotonic) -> None:
        self._tell_s = tell_s
        self._counts: dict[str, _Count] = {}
        self._lock = Lock()

    def take(self, key: str, quota: Quota) -> Standing:
        """Count one in the window that its first one began."""
        with self._lock:
            now_s = self._tell_s()
            count = self._find(key, now_s) or self._open(key, now_s + quota.window_s)
            count.value += 1
            left = quota.limit - count.value
            return Standing(left >= 0, max(left, 0), count.ends_s - now_s)

    def begin(self, key: str, pace: Pace) -> Attempt:
        """Count a try, unless the one before has to be waited for."""
        with self._lock:
            now_s = self._tell_s()
            count = self._find(key, now_s) or self._open(key, now_s)
            if count.waits_until_s > now_s:
                return Attempt(count.waits_until_s - now_s, 0.0)
            count.value += 1
            count.ends_s = now_s + pace.memory_s
            next_wait_s = pace.wait_s(count.value)
            count.waits_until_s = now_s + next_wait_s
            return Attempt(0.0, next_wait_s)

    def refund(self, key: str) -> None:
        """Take back one try and its wait."""
        with self._lock:
            count = self._find(key, self._tell_s())
            if count:
                count.value = max(count.value - 1, 0)
                count.waits_until_s = 0.0

    def forget(self, key: str) -> None:
        """Forget all tries."""
        with self._lock:
            self._counts.pop(key, None)

    def _find(self, key: str, now_s: float) -> _Count | None:
        count = self._counts.get(key)
        return count if count and count.ends_s > now_s else None

    def _open(self, key: str, ends_s: float) -> _Count:
        if len(self._counts) >= KEYS_MAX:
            now_s = self._tell_s()
            self._counts = {k: c for k, c in self._counts.items() if c.ends_s > now_s}
            for old in list(self._counts)[: max(0, len(self._counts) - KEYS_MAX + 1)]:
                del self._counts[old]
        self._counts.pop(key, None)
        made = self._counts[key] = _Count(0, ends_s)
        return made
