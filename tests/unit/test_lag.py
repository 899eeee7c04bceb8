"""What waits to be told to other systems is counted, and shown to operators."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nextstream import doctor, wiring
from nextstream.adapters.clock import HandClock
from nextstream.adapters.events_memory import MemorySink
from nextstream.domain.accounts import Role
from nextstream.services import accounts, lag, operations, webhooks
from nextstream.services.lag import Lag, Lags
from nextstream.settings import Settings

NONE = Lag(0, 0.0)


def test_what_waits_is_counted_with_the_age_of_its_first_until_it_is_sent() -> None:
    clock, sink = HandClock(), MemorySink()
    platform = wiring.in_memory(sink=sink, clock=clock)
    operator = accounts.add(platform, "operator", "correct horse battery", Role.OPERATOR)
    operations.relay(platform)
    webhooks.fan_out(platform)
    assert lag.measure(platform) == Lags(NONE, NONE, NONE)
    webhooks.add(platform, operator, "https://a.example/", ["worker.*"], everything=True)
    operations.note(platform, "worker.online", "media@host")
    clock.advance(30)
    operations.note(platform, "worker.draining", "media@host")
    clock.advance(10)
    assert lag.measure(platform) == Lags(Lag(2, 40.0), Lag(2, 40.0), NONE)
    webhooks.fan_out(platform)
    operations.relay(platform)
    assert lag.measure(platform) == Lags(NONE, NONE, Lag(2, 40.0))
    (hook,) = webhooks.own(platform, operator)
    webhooks.deliver(platform, hook.id)
    assert lag.measure(platform) == Lags(NONE, NONE, NONE)


@pytest.mark.parametrize("age_s", [0, 3600])
def test_doctor_tells_of_events_that_wait_for_long(tmp_path: Path, age_s: float) -> None:
    settings = Settings(data_dir=tmp_path)
    wiring.migrate(settings)
    clock = HandClock(datetime.now(UTC) - timedelta(seconds=age_s))
    platform = wiring.build(settings, clock=clock)
    operations.note(platform, "worker.online", "media@host")
    platform.database.close()
    (found,) = [each for each in doctor.examine(settings) if each.name == "events"]
    assert found.ok is not bool(age_s)
    assert "1 " in found.says


def test_doctor_asks_no_database_that_was_never_made(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    (found,) = [each for each in doctor.examine(settings) if each.name == "events"]
    assert found.ok
