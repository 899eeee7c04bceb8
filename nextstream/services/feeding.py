"""Sending work from the database to the queue, a bounded number of pieces at a time."""

from __future__ import annotations

from datetime import timedelta

import structlog

from nextstream.domain import scheduling
from nextstream.errors import NextStreamError
from nextstream.ports import Platform
from nextstream.services import fleet

log = structlog.get_logger()

UNCLAIMED_S = 5.0  # a message takes milliseconds from the queue to its claim, when it is taken


def feed(platform: Platform) -> int:
    """Send the next pieces, as many as there is room for, and count them; may run twice and at once.

    What can't be sent, since the queue or the database is away, is sent by a later look.
    """
    try:
        return _feed(platform)
    except NextStreamError as error:
        if not error.retryable:
            raise
        log.warning("work waits to be sent", error=str(error))
        return 0


def _feed(platform: Platform) -> int:
    now = platform.clock.now()
    with platform.database.transaction() as tx:
        in_flight = tx.pieces.in_flight()
        room = scheduling.room(fleet.slots(tx, now), sum(in_flight.values()))
        if not room:
            return 0
        waiting = tx.pieces.waiting(now, room)
        messages = tx.pieces.send(scheduling.choose(waiting, in_flight, room), now)
    platform.dispatcher.send(messages)
    return len(messages)


def recover(platform: Platform) -> int:
    """Let pieces be sent again whose messages the queue has lost, and count them.

    A message may wait long behind others: only where the queue holds fewer than there should be,
    some are lost. Which ones can't be told, so all that are old are sent again; those that were
    there find their piece taken.
    """
    before = platform.clock.now() - timedelta(seconds=UNCLAIMED_S)
    with platform.database.transaction() as tx:
        unclaimed = tx.pieces.count_sent(before)
    if not unclaimed or platform.dispatcher.queued() >= unclaimed:
        return 0
    with platform.database.transaction() as tx:
        lost = tx.pieces.unsend(before)
    log.warning("messages lost, pieces are sent again", pieces=lost)
    return lost
