"""Telling other systems of events: webhooks, what is on its way to them, and how it went."""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog

from nextstream.domain import webhooks
from nextstream.domain.access import Action, demand, may
from nextstream.domain.accounts import Account
from nextstream.domain.events import Event, happen
from nextstream.domain.metrics import WEBHOOKS_SENT
from nextstream.domain.webhooks import Delivery, Outcome, Webhook
from nextstream.errors import (
    AddressRefused,
    Conflict,
    NextStreamError,
    QueueUnavailable,
    TooManyWebhooks,
    VideoNotFound,
    WebhookNotFound,
)
from nextstream.ports import OutboxEntry, Platform, SpanKind, Transaction

log = structlog.get_logger()

OPERATORS = "operators"  # who owns what is no single account's
WEBHOOKS_MAX = 20  # of one account
EVENTS_AT_ONCE = 500
DELIVERIES_AT_ONCE = 15  # then another webhook gets its turn; far less than the claim lasts
RING_S = 60.0  # a message may wait that long behind slow receivers before it counts as lost
GONE = 410  # by this answer a receiver asks to hear no more
CONTENT_TYPE = "application/cloudevents+json"  # HTTP Protocol Binding 1.0.2, section 3.2
PING = "webhook.ping"


def add(
    platform: Platform, account: Account, url: str, types: Sequence[str], *, everything: bool = False
) -> Webhook:
    """Add a webhook of the account's, or with `everything` of all operators'; it alone has the secret.

    Raises AddressRefused, TooManyWebhooks, and WebhookNotFound for `everything` without the role.
    """
    demand(account, Action.MANAGE_WEBHOOK)
    if everything and not may(account, Action.OPERATE):
        raise WebhookNotFound
    platform.outside.check(url)
    owner_id = None if everything else account.id
    now = platform.clock.now()
    made = Webhook(secrets.token_hex(11), owner_id, url, webhooks.new_secret(), tuple(types), now)
    with platform.database.transaction() as tx:
        if len(tx.webhooks.list(owner_id)) >= WEBHOOKS_MAX:
            raise TooManyWebhooks
        tx.webhooks.add(made)
    log.info("webhook added", webhook_id=made.id)
    return made


def mine(tx: Transaction, account: Account, webhook_id: str) -> Webhook:
    """Give a webhook to its owner and to operators; raises WebhookNotFound."""
    demand(account, Action.MANAGE_WEBHOOK)
    found = tx.webhooks.get(webhook_id)
    if not may(account, Action.MANAGE_WEBHOOK, found.owner_id or OPERATORS):
        raise WebhookNotFound
    return found


def get(platform: Platform, account: Account, webhook_id: str) -> Webhook:
    """Give a webhook, as `mine`."""
    with platform.database.transaction() as tx:
        return mine(tx, account, webhook_id)


def own(platform: Platform, account: Account) -> Sequence[Webhook]:
    """Give the account's webhooks, and all there are to an operator."""
    demand(account, Action.MANAGE_WEBHOOK)
    with platform.database.transaction() as tx:
        return tx.webhooks.list(account.id, everyone=may(account, Action.OPERATE))


def change(platform: Platform, account: Account, webhook_id: str, wishes: Mapping[str, Any]) -> Webhook:
    """Change a webhook's address, types or activity; raises as `add` and `mine`."""
    if "url" in wishes:
        platform.outside.check(wishes["url"])
    with platform.database.transaction() as tx:
        changed = replace(mine(tx, account, webhook_id), **wishes)
        tx.webhooks.save(changed)
    return changed


def remove(platform: Platform, account: Account, webhook_id: str) -> None:
    """Remove a webhook; what is on its way is dropped."""
    with platform.database.transaction() as tx:
        tx.webhooks.remove(mine(tx, account, webhook_id).id)


def history(
    platform: Platform, account: Account, webhook_id: str, before: str | None, limit: int
) -> Sequence[Delivery]:
    """Give a webhook's deliveries, newest first."""
    with platform.database.transaction() as tx:
        return tx.webhooks.log(mine(tx, account, webhook_id).id, before, limit)


def replay(platform: Platform, account: Account, webhook_id: str, delivery_id: str) -> Delivery:
    """Send a delivery again, with all its tries; raises WebhookNotFound."""
    with platform.database.transaction() as tx:
        found = tx.webhooks.delivery(mine(tx, account, webhook_id).id, delivery_id)
        again = replace(found, outcome=Outcome.WAITING, attempt=0, due_at=platform.clock.now())
        tx.webhooks.note(again)
    _ring(platform, [webhook_id])
    return again


def ping(platform: Platform, account: Account, webhook_id: str) -> None:
    """Note an event that this webhook's owner hears, whatever its types, to try it out."""
    now = platform.clock.now()
    with platform.database.transaction() as tx:
        webhook = mine(tx, account, webhook_id)
        tx.outbox.add(happen(PING, webhook.id, now, webhook_id=webhook.id))


def fan_out(platform: Platform) -> int:
    """Make deliveries of new events, ring for all that is due, and count the events; may run twice."""
    try:
        with platform.database.transaction() as tx:
            before, now = tx.webhooks.place(), platform.clock.now()
            entries = tx.outbox.page(before, EVENTS_AT_ONCE)
            if entries:
                tx.webhooks.send(_deliveries(tx, entries))
                tx.webhooks.go_on(before, entries[-1].place)
            due = tx.webhooks.ring(now, now + timedelta(seconds=RING_S), EVENTS_AT_ONCE)
    except Conflict:  # another process was at it
        return 0
    _ring(platform, due)
    return len(entries)


def deliver(platform: Platform, webhook_id: str) -> int:
    """Send what is due for a webhook, one after the other, and count it; may run twice at once."""
    now, lease = platform.clock.now(), timedelta(seconds=platform.settings.webhook_claim_s)
    with platform.database.transaction() as tx:
        if not tx.webhooks.claim(webhook_id, now, now + lease):
            return 0
    count = 0
    try:
        while count < DELIVERIES_AT_ONCE and _deliver_next(platform, webhook_id):
            count += 1
    except WebhookNotFound:  # removed meanwhile
        log.info("webhook removed during its deliveries", webhook_id=webhook_id)
    finally:
        with platform.database.transaction() as tx:
            tx.webhooks.release(webhook_id)
    return count


def prune(platform: Platform) -> int:
    """Remove deliveries whose events are no longer kept, and count them; may run twice."""
    count = 0
    while True:
        with platform.database.transaction() as tx:
            kept = tx.outbox.page(0, 1)
            removed = tx.webhooks.prune(kept[0].place if kept else tx.webhooks.place() + 1)
        count += removed
        if not removed:
            return count


def _deliveries(tx: Transaction, entries: Sequence[OutboxEntry]) -> Iterator[Delivery]:
    listening = tx.webhooks.list(everyone=True)
    if not listening:
        return
    for entry in entries:
        owner_id = _owner(tx, entry.event)
        for webhook in listening:
            if _wants(webhook, entry.event, owner_id):
                yield _delivery(webhook, entry)


def _wants(webhook: Webhook, event: Event, owner_id: str | None) -> bool:
    if event.type == PING:
        return webhook.active and event.data.get("webhook_id") == webhook.id
    return webhooks.hears(webhook, event, owner_id)


def _delivery(webhook: Webhook, entry: OutboxEntry) -> Delivery:
    event = entry.event
    made = secrets.token_hex(11)
    return Delivery(made, webhook.id, entry.place, event.id, event.type, event.time, event.time)


def _owner(tx: Transaction, event: Event) -> str | None:
    """Give whose account an event concerns: it says so, or is about a video, or about the account."""
    if "owner_id" in event.data:
        return str(event.data["owner_id"])
    if event.type.startswith("auth."):
        return event.key
    try:
        return tx.videos.access(event.key).owner_id
    except VideoNotFound:  # about a worker, or a video that is gone
        return None


def _ring(platform: Platform, webhook_ids: Sequence[str]) -> None:
    try:
        for webhook_id in webhook_ids:
            platform.dispatcher.deliver(webhook_id)
    except QueueUnavailable as error:  # they stay due, and the next look rings again
        log.warning("webhooks wait, the queue is away", error=str(error))


def _deliver_next(platform: Platform, webhook_id: str) -> bool:
    """Send what is due longest, and tell whether there was anything."""
    now = platform.clock.now()
    with platform.database.transaction() as tx:
        webhook, delivery = tx.webhooks.get(webhook_id), tx.webhooks.next(webhook_id, now)
        entries = tx.outbox.page(delivery.event_place - 1, 1) if delivery else ()
    if delivery is None or not webhook.active:
        return False
    if not entries or entries[0].event.id != delivery.event_id:  # so old that it is no longer kept
        _note(platform, replace(delivery, outcome=Outcome.FAILED, error="the event is gone"))
    else:
        event = entries[0].event
        _note(platform, _try(platform, webhook, delivery, event))
        what, when = (f"deliver {event.type}", event.traceparent), (now, platform.clock.now())
        platform.tracer.note(*what, *when, SpanKind.CLIENT, event_id=event.id, webhook_id=webhook.id)
    return True


def _try(platform: Platform, webhook: Webhook, delivery: Delivery, event: Event) -> Delivery:
    """Send an event and give its delivery as it stands then."""
    now, body = platform.clock.now(), json.dumps(event.body()).encode()
    headers = {"Content-Type": CONTENT_TYPE, **webhooks.sign(webhook.secret, event.id, now, body)}
    tried = replace(delivery, attempt=delivery.attempt + 1, status=None, error=None)
    try:
        status = platform.outside.post(webhook.url, body, headers)
    except AddressRefused as error:
        return replace(tried, outcome=Outcome.FAILED, error=error.message)
    except NextStreamError as error:
        return _put_off(platform, replace(tried, error=str(error)))
    if 200 <= status < 300:
        return replace(tried, outcome=Outcome.DELIVERED, status=status)
    if status == GONE:
        _silence(platform, webhook)
        return replace(tried, outcome=Outcome.FAILED, status=status, error="the receiver is gone")
    return _put_off(platform, replace(tried, status=status, error=f"the receiver answered {status}"))


def _silence(platform: Platform, tried: Webhook) -> None:
    """Tell a receiver no more, unless its owner has given another address while it was asked."""
    with platform.database.transaction() as tx:
        webhook = tx.webhooks.get(tried.id)
        if webhook.url == tried.url:
            tx.webhooks.save(replace(webhook, active=False))


def _put_off(platform: Platform, tried: Delivery) -> Delivery:
    pause = webhooks.pause(tried.attempt)
    if pause is None:
        return replace(tried, outcome=Outcome.FAILED)
    # Jitter, so that a receiver that comes back isn't met by everything at once.
    jitter = random.uniform(0.9, 1.1)  # noqa: S311  no secret  # nosec B311
    return replace(tried, due_at=platform.clock.now() + pause * jitter)


def _note(platform: Platform, delivery: Delivery) -> None:
    if delivery.outcome is Outcome.FAILED:
        facts = {"webhook_id": delivery.webhook_id, "event_id": delivery.event_id}
        log.warning("webhook delivery failed", error=delivery.error, **facts)
    outcome = "put_off" if delivery.outcome is Outcome.WAITING else str(delivery.outcome)
    platform.metrics.count(WEBHOOKS_SENT, outcome=outcome)
    with platform.database.transaction() as tx:
        tx.webhooks.note(delivery)
