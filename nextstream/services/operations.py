"""What keeps the system going: noting what happened, and sending it on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakSet

import structlog

from nextstream.domain.events import happen
from nextstream.domain.metrics import EVENTS_SENT
from nextstream.errors import EventsUnavailable
from nextstream.ports import EventSink, OutboxEntry, Platform, SpanKind

log = structlog.get_logger()

BATCHES = 20
LEAST_KEPT = timedelta(days=2)  # a webhook is tried again for a day

_away: WeakSet[EventSink] = WeakSet()


def note(
    platform: Platform,
    type_: str,
    key: str,
    request_id: str | None = None,
    *,
    traceparent: str | None = None,
    **data: Any,
) -> None:
    """Store an event that stands alone, in a transaction of its own."""
    with platform.database.transaction() as transaction:
        traceparent, now = traceparent or platform.tracer.context(), platform.clock.now()
        transaction.outbox.add(happen(type_, key, now, request_id, traceparent=traceparent, **data))


def drain(platform: Platform, limit: int = 500) -> int:
    """Send on what waits, batch by batch, and count it; may run twice.

    It ends after some time, so that a worker that is asked to stop can.
    """
    count = 0
    for _ in range(BATCHES):
        sent = relay(platform, limit)
        count += sent
        if sent < limit:
            break
    return count


def relay(platform: Platform, limit: int = 500) -> int:
    """Send unsent events on in their order and count those that arrived; may run twice.

    An event that didn't arrive stays unsent for the next time, so each is sent at least once.
    """
    with platform.database.transaction() as transaction:
        entries = transaction.outbox.unsent(limit)
    if not entries:
        return 0
    began_at = platform.clock.now()
    try:
        arrived = platform.sink.send([entry.event for entry in entries])
    except EventsUnavailable as error:
        _warn_once(platform.sink, error)
        return 0
    _away.discard(platform.sink)
    with platform.database.transaction() as transaction:
        transaction.outbox.mark_sent(arrived)
    _tell(platform, entries, frozenset(arrived), began_at)
    return len(arrived)


def prune(platform: Platform) -> int:
    """Remove events that were sent long ago and count them; may run twice.

    None goes that a webhook may still be told of, nor one that no webhook was looked for yet. What
    couldn't be sent in all that time is given up, so that the backlog has an end.
    """
    kept = max(timedelta(seconds=platform.settings.events_kept_s), LEAST_KEPT)
    before, count = platform.clock.now() - kept, 0
    with platform.database.transaction() as tx:
        given_up = tx.outbox.give_up(before)
    if given_up:
        log.error("events given up, the event stream was away for too long", count=given_up)
    while True:
        with platform.database.transaction() as tx:
            removed = tx.outbox.prune(before, tx.webhooks.place())
        count += removed
        if not removed:
            return count


def _tell(
    platform: Platform, entries: Sequence[OutboxEntry], arrived: Collection[str], began_at: datetime
) -> None:
    """Count what was sent; in a trace, its event is the last step."""
    platform.metrics.count(EVENTS_SENT, len(arrived))
    now = platform.clock.now()
    told = [entry.event for entry in entries if entry.event.id in arrived]
    for event in (each for each in told if not each.type.startswith("task.")):  # a step by themselves
        name, parent = f"send {event.type}", event.traceparent
        platform.tracer.note(name, parent, began_at, now, SpanKind.PRODUCER, event_id=event.id)


def _warn_once(sink: EventSink, error: EventsUnavailable) -> None:
    if sink not in _away:
        log.warning("events wait, the event stream is away", error=str(error))
        _away.add(sink)
