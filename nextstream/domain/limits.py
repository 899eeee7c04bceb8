"""How much of something may be done: quotas of requests, and the pace of guesses."""

from __future__ import annotations

import re
from dataclasses import dataclass

_QUOTA = re.compile(r"(\d{1,9})/(\d{1,6})")


@dataclass(frozen=True)
class Quota:
    """So many times in each window of so many seconds."""

    limit: int
    window_s: int

    @classmethod
    def parse(cls, text: str) -> Quota | None:
        """Read `600/60`, 600 times a minute; None for what doesn't limit, as an empty text."""
        found = _QUOTA.fullmatch(text)
        quota = cls(int(found[1]), int(found[2])) if found else None
        return quota if quota and quota.limit and quota.window_s else None


@dataclass(frozen=True)
class Standing:
    """Where someone stands in a quota: how often they may go on, and when it begins anew."""

    allowed: bool
    remaining: int
    reset_s: float


@dataclass(frozen=True)
class Pace:
    """Tries that are free, and then a wait after each that doubles; all forgotten after `memory_s`."""

    free: int
    first_wait_s: float = 1.0
    longest_wait_s: float = 900.0
    memory_s: float = 86400.0

    def wait_s(self, tries: int) -> float:
        """Give the wait that so many failed tries bring."""
        late = tries - self.free
        return 0.0 if late < 0 else min(self.first_wait_s * 2.0 ** min(late, 32), self.longest_wait_s)


@dataclass(frozen=True)
class Attempt:
    """A try that is refused for `wait_s` more seconds, or that is let in where it is 0.

    If it fails, the next one has to wait `next_wait_s`.
    """

    wait_s: float
    next_wait_s: float
