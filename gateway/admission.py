"""Keeps a service in trouble from taking the gateway's threads with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pybreaker import STATE_HALF_OPEN, CircuitBreaker, CircuitBreakerError

from nextstream.errors import ServiceBroken, ServiceTimeout, ServiceUnavailable

FAILURES = 5  # in a row, until a service is left alone
REST_S = 5.0  # until one request may try again; shorter than a person's patience

_FAULTS = (ServiceBroken, ServiceTimeout, ServiceUnavailable)


class Admission:
    """Lets requests through to one service: so many at once, and none while it doesn't answer.

    A request that finds no seat is refused at once, since a queue of threads would be the outage
    it is meant to prevent.
    """

    def __init__(self, seats: int, *, failures: int = FAILURES, rest_s: float = REST_S) -> None:
        self._seats = threading.BoundedSemaphore(seats)
        self._rest_s, self._next_try_s = rest_s, 0.0
        self._lock = threading.Lock()
        self._breaker = CircuitBreaker(
            fail_max=failures,
            reset_timeout=rest_s,
            exclude=[lambda error: not isinstance(error, _FAULTS)],  # a client that leaves is no fault
            throw_new_error_on_trip=False,  # the request that trips it gets its own error
        )

    def take_seat(self) -> Callable[[], None]:
        """Take a seat, and give what gives it back; raises ServiceUnavailable where all are taken."""
        if not self._seats.acquire(blocking=False):
            raise ServiceUnavailable("Too many requests wait for this service; try again shortly.")
        return self._seats.release

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Count how the block ends; raises ServiceUnavailable while the service is left alone."""
        if not self._begin_try():
            raise ServiceUnavailable(detail="another request tries whether it is back")
        try:
            with self._breaker.calling():
                self._begin_try()  # the breaker may have opened for it just now
                yield
        except CircuitBreakerError as error:
            raise ServiceUnavailable(
                detail=f"left alone after {self._breaker.fail_max} faults"
            ) from error

    def _begin_try(self) -> bool:
        """Tell whether a service after its rest may be tried, which then is done.

        The breaker by itself lets all in until the first is answered. Where that takes long, as an
        upload does, another may try.
        """
        if self._breaker.current_state != STATE_HALF_OPEN:
            return True
        with self._lock:
            now_s = time.monotonic()
            if now_s < self._next_try_s:
                return False
            self._next_try_s = now_s + self._rest_s
            return True
