"""How far behind what tells other systems of events is: shown to operators and measured by telemetry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from nextstream.domain.access import Action, demand
from nextstream.domain.accounts import Account
from nextstream.ports import Backlog, Platform


@dataclass(frozen=True)
class Lag:
    """How much waits, and for how long the first of it has."""

    count: int
    oldest_s: float


@dataclass(frozen=True)
class Lags:
    """What waits for Kafka, for its deliveries to webhooks to be made, and for those to be tried.

    A delivery that failed and waits for its next try is not behind.
    """

    outbox: Lag
    fan_out: Lag
    deliveries: Lag


def measure(platform: Platform) -> Lags:
    """Tell what waits now; three counts by index, whatever is behind."""
    now = platform.clock.now()
    with platform.database.transaction() as tx:
        return Lags(
            of(tx.outbox.backlog(), now),
            of(tx.outbox.behind(tx.webhooks.place()), now),
            of(tx.webhooks.backlog(now), now),
        )


def show(platform: Platform, account: Account) -> Lags:
    """Tell operators what waits; raises NotAllowed."""
    demand(account, Action.OPERATE)
    return measure(platform)


def of(backlog: Backlog, now: datetime) -> Lag:
    """Tell how far behind a backlog is at a time."""
    waited = now - backlog.since if backlog.since else None
    return Lag(backlog.count, max(0.0, waited.total_seconds()) if waited else 0.0)
