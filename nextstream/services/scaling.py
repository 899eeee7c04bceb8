"""Telling the load to whoever starts and stops workers."""

from __future__ import annotations

from datetime import datetime
from weakref import WeakKeyDictionary

import structlog

from nextstream.domain import backlog
from nextstream.domain.backlog import Backlog, Load
from nextstream.ports import Database, Platform
from nextstream.services import fleet

log = structlog.get_logger()


class _Speeds:
    """How fast slots are, by what this process saw at its looks."""

    def __init__(self) -> None:
        self._last: WeakKeyDictionary[Database, tuple[datetime, Backlog]] = WeakKeyDictionary()
        self._speed: WeakKeyDictionary[Database, float] = WeakKeyDictionary()

    def note(self, platform: Platform, found: Backlog) -> float:
        """Note a look, and give the speed that counts from now on."""
        now, database = platform.clock.now(), platform.database
        before, seen = self._last.get(database, (now, Backlog()))
        measured = backlog.measure(seen, found, (now - before).total_seconds())
        speed = backlog.smooth(self._speed.get(database, 1.0), measured)
        self._last[database], self._speed[database] = (now, found), speed
        return speed


_speeds = _Speeds()


def publish(platform: Platform) -> Load:
    """Reckon the load and tell it; may run twice; raises ScalingUnavailable.

    Workers that are on their way count, or each look would ask for them once more.
    """
    now = platform.clock.now()
    with platform.database.transaction() as tx:
        found, present = tx.pieces.backlog(), fleet.present(tx, now)
    wanted = platform.scaling.wanted()
    slots_each = sum(worker.slots for worker in present) / len(present) if present else 0
    load = backlog.reckon(
        found,
        _speeds.note(platform, found),
        len(present) if wanted is None else wanted,
        slots_each or platform.settings.scaling_slots,
    )
    platform.scaling.publish(load, now)
    log.debug("load", waiting_s=round(load.waiting_s), pieces=load.open_pieces, workers=load.workers)
    return load
