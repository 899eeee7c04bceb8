"""What every database does with the outbox: events come out once each, in order, none left out."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from nextstream.errors import Conflict, DatabaseUnavailable
from nextstream.ports import Backlog, Database
from tests.contract.conftest import Open
from tests.contract.rows import LATER, NOW, event


def places(database: Database) -> list[tuple[int, str]]:
    with database.transaction() as tx:
        return [(entry.place, entry.event.id) for entry in tx.outbox.page(0, 1000)]


# The outbox.


def test_events_come_back_in_the_order_they_went_in(database: Database) -> None:
    events = [event(n=n, text="ü 日本", rungs=[{"height": 720}], none=None) for n in range(5)]
    with database.transaction() as tx:
        tx.outbox.add(*events[:3])
        tx.outbox.add()
    with database.transaction() as tx:
        tx.outbox.add(*events[3:])
    with database.transaction() as tx:
        entries = tx.outbox.page(0, 99)
    assert [entry.event for entry in entries] == events
    assert [entry.sent for entry in entries] == [False] * 5
    grown = [entry.place for entry in entries]
    assert grown == sorted(set(grown))
    assert grown[0] > 0


def test_what_is_known_to_be_sent_is_not_given_again(database: Database) -> None:
    events = [event(n=n) for n in range(4)]
    with database.transaction() as tx:
        tx.outbox.add(*events)
    for _ in range(2):
        with database.transaction() as tx:
            tx.outbox.mark_sent(events[n].id for n in (0, 2))
            tx.outbox.mark_sent([])
            tx.outbox.mark_sent(["unknown"])
    with database.transaction() as tx:
        assert [entry.event for entry in tx.outbox.unsent(9)] == [events[1], events[3]]
        assert [entry.event for entry in tx.outbox.unsent(1)] == [events[1]]
        assert [entry.sent for entry in tx.outbox.page(0, 9)] == [True, False, True, False]


def test_a_backlog_is_what_was_not_sent_or_lies_behind_a_place(database: Database) -> None:
    with database.transaction() as tx:
        assert tx.outbox.backlog() == tx.outbox.behind(0) == Backlog(0, None)
    events = [replace(event(), time=NOW + timedelta(seconds=n)) for n in range(3)]
    with database.transaction() as tx:
        tx.outbox.add(*events)
        tx.outbox.mark_sent([events[0].id])
    with database.transaction() as tx:
        assert tx.outbox.backlog() == Backlog(2, events[1].time)
        last = tx.outbox.page(0, 9)[-1].place
        assert tx.outbox.behind(0) == Backlog(3, NOW)
        assert tx.outbox.behind(last - 1) == Backlog(1, events[2].time)
        assert tx.outbox.behind(last) == Backlog(0, None)


def test_events_are_read_on_from_a_place_of_one_key_or_all(database: Database) -> None:
    events = [event(key="ab"[n % 2]) for n in range(6)]
    with database.transaction() as tx:
        tx.outbox.add(*events)
        first, second = tx.outbox.page(0, 2)
        assert [entry.event for entry in tx.outbox.page(second.place, 3)] == events[2:5]
        assert [entry.event for entry in tx.outbox.page(first.place, 9, "a")] == [events[2], events[4]]
        assert tx.outbox.page(0, 9, "c") == []
        places = {entry.event.key: entry.place for entry in tx.outbox.page(0, 9)}
        assert {key: tx.outbox.last(key) for key in "abc"} == {**places, "c": 0}


def test_no_event_appears_behind_a_place_that_could_be_read(open_database: Open) -> None:
    first, second, committed = open_database(), open_database(), threading.Event()

    def add_another() -> None:
        while not committed.is_set():
            with suppress(DatabaseUnavailable):
                with second.transaction() as tx:
                    tx.outbox.add(event(n=2))
                committed.set()

    thread = threading.Thread(target=add_another)
    with first.transaction() as tx:
        tx.outbox.add(event(n=1))
        thread.start()
        assert not committed.wait(0.5)
    thread.join(10)
    with first.transaction() as tx:
        assert [entry.event.data["n"] for entry in tx.outbox.page(0, 9)] == [1, 2]


def test_an_event_is_stored_once(database: Database) -> None:
    one = event()
    with database.transaction() as tx:
        tx.outbox.add(one)
    with pytest.raises(Conflict), database.transaction() as tx:
        tx.outbox.add(one)
    assert len(places(database)) == 1


def test_places_grow_over_rollbacks(database: Database) -> None:
    with database.transaction() as tx:
        tx.outbox.add(event())
    with pytest.raises(RuntimeError), database.transaction() as tx:  # noqa: PT012  as above
        tx.outbox.add(event())
        raise RuntimeError
    last = event()
    with database.transaction() as tx:
        tx.outbox.add(last)
    (first, _), (second, kept) = places(database)
    assert second > first
    assert kept == last.id


def test_old_events_that_were_sent_are_removed_and_no_others(database: Database) -> None:
    events = [replace(event(), id=f"e{n}", time=NOW + timedelta(days=n)) for n in range(5)]
    with database.transaction() as tx:
        tx.outbox.add(*events)
        tx.outbox.mark_sent(["e0", "e2", "e3"])
    with database.transaction() as tx:
        last = tx.outbox.page(0, 9)[-1].place
        assert tx.outbox.prune(NOW + timedelta(days=3), last - 3) == 1
        assert [entry.event.id for entry in tx.outbox.page(0, 9)] == ["e1", "e2", "e3", "e4"]
        assert tx.outbox.prune(NOW + timedelta(days=3), last) == 1
        assert tx.outbox.prune(NOW + timedelta(days=9), last) == 1
        assert [entry.event.id for entry in tx.outbox.page(0, 9)] == ["e1", "e4"]
        assert tx.outbox.prune(NOW + timedelta(days=9), last) == 0


def test_a_place_is_never_given_again(database: Database) -> None:
    with database.transaction() as tx:
        tx.outbox.add(event())
        place = tx.outbox.page(0, 9)[0].place
        tx.outbox.mark_sent([tx.outbox.page(0, 9)[0].event.id])
        assert tx.outbox.prune(LATER + timedelta(days=1), place) == 1
        tx.outbox.add(event())
        assert tx.outbox.page(0, 9)[0].place > place


def test_an_event_keeps_the_trace_it_is_a_part_of(database: Database) -> None:
    traced = replace(event(), traceparent="00-1-2-01")
    with database.transaction() as tx:
        tx.outbox.add(traced)
        assert [entry.event for entry in tx.outbox.unsent(9)] == [traced]
