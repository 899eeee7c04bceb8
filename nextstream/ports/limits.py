"""Counts of what someone did lately, shared by all processes as far as that is possible."""

from __future__ import annotations

from typing import Protocol

from nextstream.domain.limits import Attempt, Pace, Quota, Standing


class Limits(Protocol):
    """Quotas and paces by key; never raises: where the shared counts are away, this process counts."""

    def take(self, key: str, quota: Quota) -> Standing:
        """Count one, and tell where that leaves its sender."""
        ...

    def begin(self, key: str, pace: Pace) -> Attempt:
        """Count a try before its outcome is known, so that many at once gain nothing.

        A try that is refused doesn't count.
        """
        ...

    def refund(self, key: str) -> None:
        """Take back one try and the wait it brought: it was right, but others may not have been.

        There was none when it began, or it would have been refused.
        """
        ...

    def forget(self, key: str) -> None:
        """Forget all tries: their author is known now."""
        ...
