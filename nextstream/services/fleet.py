"""The workers that encode: what they say of themselves, and what can be expected of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from nextstream.domain.access import Action, demand
from nextstream.domain.accounts import Account
from nextstream.domain.events import happen
from nextstream.ports import Platform, Transaction, Worker

SEEN_EVERY_S = 5.0
GONE_AFTER_S = 20.0  # a worker that missed three notes in a row
FORGOTTEN_AFTER_S = 3600.0


def note(platform: Platform, name: str, slots: int, *, draining: bool = False) -> None:
    """Note that a worker is there, and whether it still takes work."""
    with platform.database.transaction() as tx:
        tx.workers.note(Worker(name, slots, platform.clock.now(), draining))


def leave(platform: Platform, name: str) -> None:
    """Note that a worker has ended."""
    with platform.database.transaction() as tx:
        tx.workers.remove(name)


def forget(tx: Transaction, now: datetime) -> None:
    """Remove the workers that ended without a word long ago."""
    for worker in tx.workers.list():
        is_lost = worker.seen_at < now - timedelta(seconds=FORGOTTEN_AFTER_S)
        if is_lost and tx.workers.remove(worker.name):
            tx.outbox.add(happen("worker.offline", worker.name, now, lost=True))


def present(tx: Transaction, now: datetime) -> Sequence[Worker]:
    """Give the workers that take work."""
    since = now - timedelta(seconds=GONE_AFTER_S)
    return [worker for worker in tx.workers.list() if worker.seen_at >= since and not worker.draining]


def slots(tx: Transaction, now: datetime) -> int:
    """Count the pieces the whole fleet encodes at once."""
    return sum(worker.slots for worker in present(tx, now))


def has_others(tx: Transaction, now: datetime, than: Collection[str]) -> bool:
    """Tell whether a worker takes work that is none of these."""
    return any(worker.name not in than for worker in present(tx, now))


def page(platform: Platform, account: Account) -> Sequence[Worker]:
    """Give all workers to operators; raises NotAllowed."""
    demand(account, Action.OPERATE)
    with platform.database.transaction() as tx:
        return tx.workers.list()
