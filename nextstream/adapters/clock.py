"""The system's clock, one for tests that moves by hand, and how long a process may go on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class SystemClock:
    """Tells the machine's time."""

    def now(self) -> datetime:
        """Give the time, in UTC."""
        return datetime.now(UTC)


class HandClock:
    """Stands still until it is moved."""

    def __init__(self, start: datetime = datetime(2030, 1, 1, tzinfo=UTC)) -> None:
        self._now = start

    def now(self) -> datetime:
        """Give the time it was moved to."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move forward."""
        self._now += timedelta(seconds=seconds)


class EndlessShift:
    """Lets a process go on as long as it likes; `ends_in_s` can be set to end it."""

    def __init__(self) -> None:
        self.ends_in_s: float | None = None

    def left_s(self) -> float | None:
        """Give what was set."""
        return self.ends_in_s
