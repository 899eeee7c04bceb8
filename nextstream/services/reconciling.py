"""Finding work that was lost, and having it done: the database knows what ought to go on."""

from __future__ import annotations

from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

import structlog

from nextstream.domain.metrics import LEASES_LOST
from nextstream.domain.scheduling import Blame
from nextstream.errors import WorkerLost
from nextstream.ports import Database, Platform
from nextstream.services import claims, feeding, fleet

log = structlog.get_logger()

GAP_S = 5.0  # between two looks; after a longer one the database was away, and with it all heartbeats


class _Looks:
    """When this process last looked, and from when on it may trust what leases say."""

    def __init__(self) -> None:
        self._last: WeakKeyDictionary[Database, datetime] = WeakKeyDictionary()
        self._trusted_from: WeakKeyDictionary[Database, datetime] = WeakKeyDictionary()

    def look(self, platform: Platform) -> bool:
        """Note a look, and tell whether a lease that has ended means that its worker is lost."""
        now, database = platform.clock.now(), platform.database
        last, self._last[database] = self._last.get(database, now), now
        if (now - last).total_seconds() > GAP_S:
            self._trusted_from[database] = now + timedelta(seconds=platform.settings.lease_s)
        return now >= self._trusted_from.get(database, now)


_looks = _Looks()


def reconcile(platform: Platform) -> None:
    """Send again what was lost, and what waits; cheap when idle, may run twice and at once."""
    now = platform.clock.now()
    with platform.database.transaction() as tx:
        lost = tx.pieces.lost(now)
        fleet.forget(tx, now)
    if _looks.look(platform):
        for task in lost:
            platform.metrics.count(LEASES_LOST)
            log.warning("worker lost", worker=task.worker, video_id=task.video_id, piece=task.piece.name)
            claims.give_back(platform, task, WorkerLost(detail=f"last: {task.worker}"), Blame.WORKER)
    feeding.recover(platform)
    feeding.feed(platform)
