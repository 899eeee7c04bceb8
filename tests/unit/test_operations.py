"""The relay sends what was noted, in order, and loses nothing when the stream is away."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from nextstream import wiring
from nextstream.adapters.clock import HandClock
from nextstream.adapters.events_memory import MemorySink
from nextstream.ports import Platform
from nextstream.services import operations, webhooks

ABC = ["task.started", "task.succeeded", "task.started"]
FACTS = {"task": "media.encode", "task_id": "t", "version": 1, "worker": "w", "attempt": 1}


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
def platform(sink: MemorySink) -> Platform:
    return wiring.in_memory(sink=sink)


def note(platform: Platform, *types: str) -> None:
    for type_ in types:
        operations.note(platform, type_, "video-1", "req-1", **FACTS)


def types(sink: MemorySink) -> list[str]:
    return [event.type for event in sink.events]


def test_what_is_noted_carries_its_facts_its_time_and_its_request(platform: Platform) -> None:
    before = datetime.now(UTC)
    note(platform, "task.started")
    with platform.database.transaction() as tx:
        (entry,) = tx.outbox.page(0, 10)
    assert (entry.event.type, entry.event.key, entry.event.request_id) == (
        "task.started",
        "video-1",
        "req-1",
    )
    assert dict(entry.event.data) == FACTS
    assert before <= entry.event.time <= datetime.now(UTC)
    assert not entry.sent


def test_events_are_sent_once_in_the_order_they_were_noted(platform: Platform, sink: MemorySink) -> None:
    note(platform, *ABC)
    assert operations.relay(platform) == 3
    assert operations.relay(platform) == 0
    assert types(sink) == ABC


def test_no_more_events_are_sent_at_once_than_asked(platform: Platform, sink: MemorySink) -> None:
    note(platform, *ABC)
    assert operations.relay(platform, limit=2) == 2
    assert types(sink) == ABC[:2]
    assert operations.relay(platform, limit=2) == 1
    assert types(sink) == ABC


def test_events_wait_while_the_stream_is_away_and_are_sent_when_it_is_back(
    platform: Platform, sink: MemorySink
) -> None:
    note(platform, *ABC[:2])
    sink.away = True
    assert operations.relay(platform) == 0
    sink.away = False
    assert operations.relay(platform) == 2
    assert types(sink) == ABC[:2]


def test_each_absence_of_the_stream_is_warned_of_once(platform: Platform, sink: MemorySink) -> None:
    note(platform, ABC[0])
    with capture_logs() as logs:
        for away in (True, True, False, True, True):
            sink.away = away
            note(platform, ABC[1])
            operations.relay(platform)
    assert [entry["log_level"] for entry in logs] == ["warning", "warning"]


class Limping(MemorySink):
    """Loses the second event of each batch, and so all after it."""

    def send(self, events):
        return super().send(events[:1])


def test_an_event_that_did_not_arrive_is_sent_again_before_later_ones() -> None:
    limping = Limping()
    platform = wiring.in_memory(sink=limping)
    note(platform, *ABC)
    assert [operations.relay(platform) for _ in range(4)] == [1, 1, 1, 0]
    assert types(limping) == ABC


def test_all_that_waits_is_sent_batch_by_batch_but_a_worker_may_stop_in_between(
    platform: Platform, sink: MemorySink, monkeypatch: pytest.MonkeyPatch
) -> None:
    note(platform, *["task.started"] * 12)
    assert operations.drain(platform, limit=5) == 12
    monkeypatch.setattr(operations, "BATCHES", 2)
    note(platform, *["task.started"] * 12)
    assert [operations.drain(platform, limit=5) for _ in range(3)] == [10, 2, 0]
    assert len(sink.events) == 24


def test_what_could_not_be_sent_for_as_long_as_events_are_kept_is_given_up(
    platform: Platform, sink: MemorySink
) -> None:
    clock = HandClock()
    platform = replace(platform, clock=clock)
    note(platform, "task.started")
    sink.away = True
    clock.advance(platform.settings.events_kept_s + 1)
    note(platform, "task.succeeded")
    webhooks.fan_out(platform)
    with capture_logs() as logs:
        assert operations.prune(platform) == 1
    assert [(entry["log_level"], entry["count"]) for entry in logs] == [("error", 1)]
    sink.away = False
    assert operations.relay(platform) == 1
    assert types(sink) == ["task.succeeded"]


def test_events_go_when_they_were_sent_long_ago_and_no_webhook_needs_them() -> None:
    clock = HandClock()
    platform = wiring.in_memory(sink=MemorySink(), clock=clock)
    platform = replace(platform, settings=replace(platform.settings, events_kept_s=0))
    note(platform, *ABC[:2])
    operations.relay(platform)
    clock.advance(timedelta(days=1).total_seconds())
    note(platform, ABC[2])
    clock.advance(timedelta(days=1.5).total_seconds())
    assert operations.prune(platform) == 0
    webhooks.fan_out(platform)
    assert operations.prune(platform) == 2
    with platform.database.transaction() as tx:
        assert [entry.event.type for entry in tx.outbox.page(0, 9)] == ABC[2:]
