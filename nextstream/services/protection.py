"""When a worker asks not to be scaled in: as long as it has a piece in work."""

from __future__ import annotations

import structlog

from nextstream.errors import ScalingUnavailable
from nextstream.ports import Protection

log = structlog.get_logger()

HELD_MIN = 10  # a worker that hangs is not protected for ever
RENEWED_S = 300.0  # after so long, well before it ends
AGAIN_S = 5.0  # after a fault


class Guard:
    """One worker's protection; call `look` often, it asks only where something changed."""

    def __init__(self, protection: Protection) -> None:
        self._protection = protection
        self._held_at_s: float | None = None
        self._not_before_s = 0.0

    def look(self, now_s: float, *, busy: bool) -> None:
        """Hold or release the protection as the work wants it; a fault is tried again later.

        A worker that isn't protected and is stopped gives its pieces back, so no fault stops work.
        """
        if now_s < self._not_before_s:
            return
        try:
            if busy and (self._held_at_s is None or now_s - self._held_at_s >= RENEWED_S):
                self._protection.hold(HELD_MIN)
                self._held_at_s = now_s
            elif not busy and self._held_at_s is not None:
                self._protection.release()
                self._held_at_s = None
        except ScalingUnavailable as error:
            self._not_before_s = now_s + AGAIN_S
            log.warning("scale-in protection", busy=busy, error=str(error))
