"""Sending work from the database to the queue, a bounded number of pieces at a time."""

from __future__ import annotations

from datetime import datetime
from weakref import WeakKeyDictionary

import structlog

from nextstream.domain import scheduling
from nextstream.errors import NextStreamError
from nextstream.ports import Database, Platform
from nextstream.services import fleet

log = structlog.get_logger()

UNCLAIMED_S = 5.0  # a message that is taken is claimed sooner, also where the machine is loaded


def feed(platform: Platform, *, eager: bool = True) -> int:
    """Send the next pieces, as many as there is room for, and count them; may run twice and at once.

    Who feeds after each piece of a large fleet needn't be `eager`. What can't be sent, since the
    queue or the database is away, is sent by a later look.
    """
    try:
        return _feed(platform, eager=eager)
    except NextStreamError as error:
        if not error.retryable:
            raise
        log.warning("work waits to be sent", error=str(error))
        return 0


def _feed(platform: Platform, *, eager: bool) -> int:
    now = platform.clock.now()
    with platform.database.transaction() as tx:
        in_flight = tx.pieces.in_flight()
        room = scheduling.room(fleet.slots(tx, now), sum(in_flight.values()), eager=eager)
        if not room:
            return 0
        waiting = tx.pieces.waiting(now, room)
        messages = tx.pieces.send(scheduling.choose(waiting, in_flight, room), now)
    platform.dispatcher.send(messages)
    return len(messages)


def recover(platform: Platform) -> int:
    """Let pieces be sent again whose messages the queue has lost, and count them.

    A message may wait long behind others: only where the queue holds fewer than there should be,
    some are lost. Which ones can't be told, but the queue is one for each urgency, so it's likely
    the oldest. One that was there all the same finds its piece taken.
    """
    with platform.database.transaction() as tx:
        sent = tx.pieces.count_sent()
    lacking = _lacks.note(platform, sent - platform.dispatcher.queued() if sent else 0)
    if not lacking:
        return 0
    with platform.database.transaction() as tx:
        lost = tx.pieces.unsend(lacking)
    log.warning("messages lost, pieces are sent again", pieces=lost)
    return lost


class _Lacks:
    """How many messages have been lacking at every look for a while: those on their way aren't lost."""

    def __init__(self) -> None:
        self._seen: WeakKeyDictionary[Database, tuple[datetime, int]] = WeakKeyDictionary()

    def note(self, platform: Platform, count: int) -> int:
        """Note a look, and give the count that is lost for sure; from then on it counts anew."""
        now, database = platform.clock.now(), platform.database
        since, least = self._seen.pop(database, (now, count))
        least = min(least, count)
        if least > 0 and (now - since).total_seconds() >= UNCLAIMED_S:
            return least
        if least > 0:
            self._seen[database] = since, least
        return 0


_lacks = _Lacks()
