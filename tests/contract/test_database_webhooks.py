"""What every database does with webhooks and their deliveries."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from nextstream.domain.webhooks import Delivery, Outcome, Webhook
from nextstream.errors import Conflict, WebhookNotFound
from nextstream.ports import Backlog, Database
from tests.contract.conftest import Open
from tests.contract.rows import LATER, NOW

HOOK = Webhook("w1", "ada", "https://a.example/", "whsec_x", ("video.*", "auth.*"), NOW)
SENT = Delivery("d1", "w1", 7, "e1", "video.ready", NOW, NOW)
SOON = NOW + timedelta(seconds=1)


def store(database: Database, *deliveries: Delivery) -> None:
    with database.transaction() as tx:
        tx.webhooks.add(HOOK)
        tx.webhooks.send(deliveries)


def test_a_webhook_comes_back_as_it_went_in_and_was_changed(database: Database) -> None:
    store(database)
    changed = replace(HOOK, owner_id=None, url="https://b.example/", types=("*",), active=False)
    with database.transaction() as tx:
        assert tx.webhooks.get("w1") == HOOK
        tx.webhooks.save(changed)
    with database.transaction() as tx:
        assert tx.webhooks.get("w1") == changed


def test_a_webhook_that_is_not_there_is_not_found(database: Database) -> None:
    with database.transaction() as tx:
        for look in (tx.webhooks.get, lambda _: tx.webhooks.save(HOOK)):
            with pytest.raises(WebhookNotFound):
                look("w1")
        tx.webhooks.remove("w1")


def test_lists_hold_an_owners_or_the_operators_or_all(database: Database) -> None:
    others = (
        replace(HOOK, id="w2", created_at=LATER),
        replace(HOOK, id="w3", owner_id=None),
        replace(HOOK, id="w4", owner_id="bob"),
    )
    with database.transaction() as tx:
        for hook in (*others, HOOK):
            tx.webhooks.add(hook)
        assert [hook.id for hook in tx.webhooks.list("ada")] == ["w1", "w2"]
        assert [hook.id for hook in tx.webhooks.list(None)] == ["w3"]
        assert [hook.id for hook in tx.webhooks.list(everyone=True)] == ["w1", "w3", "w4", "w2"]


def test_deliveries_of_old_events_are_removed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nextstream.adapters.database.webhooks.PRUNED_AT_ONCE", 2)
    store(database, *(replace(SENT, id=f"d{n}", event_place=n, event_id=f"e{n}") for n in range(1, 6)))
    with database.transaction() as tx:
        tx.webhooks.add(replace(HOOK, id="w2"))
        tx.webhooks.send([replace(SENT, id="o", webhook_id="w2", event_place=3)])
        removed = 0
        while batch := tx.webhooks.prune(4):
            removed += batch
        assert removed == 4
        assert [each.id for each in tx.webhooks.log("w1", None, 9)] == ["d5", "d4"]
        assert not tx.webhooks.log("w2", None, 9)


def test_a_removed_webhook_takes_its_deliveries_along(database: Database) -> None:
    store(database, SENT)
    with database.transaction() as tx:
        tx.webhooks.remove("w1")
    with database.transaction() as tx:
        tx.webhooks.add(HOOK)
        assert tx.webhooks.log("w1", None, 9) == []
        tx.webhooks.note(SENT)
        assert tx.webhooks.log("w1", None, 9) == []


def test_an_event_goes_to_a_webhook_once(database: Database) -> None:
    store(database, SENT)
    with pytest.raises(Conflict), database.transaction() as tx:
        tx.webhooks.send([replace(SENT, id="d2")])


def test_the_place_moves_on_from_where_it_was_read(database: Database) -> None:
    with database.transaction() as tx:
        assert tx.webhooks.place() == 0
        tx.webhooks.go_on(0, 5)
    with database.transaction() as tx:
        assert tx.webhooks.place() == 5
        tx.webhooks.go_on(5, 9)
    for stale in (0, 5):
        with pytest.raises(Conflict), database.transaction() as tx:
            tx.webhooks.go_on(stale, 12)


def test_of_many_readers_one_moves_the_place(open_database: Open) -> None:
    def move(_: int) -> bool:
        try:
            with open_database().transaction() as tx:
                tx.webhooks.go_on(0, 5)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(move, range(4))) == 1


def test_one_rings_once_for_a_webhook_with_something_due(database: Database) -> None:
    store(database, SENT, replace(SENT, id="d2", event_id="e2", due_at=LATER))
    with database.transaction() as tx:
        assert tx.webhooks.ring(NOW, LATER, 9) == ["w1"]
        assert tx.webhooks.ring(SOON, LATER, 9) == []
        assert tx.webhooks.ring(LATER + timedelta(seconds=1), LATER, 9) == ["w1"]


def test_what_is_due_to_active_webhooks_is_counted(database: Database) -> None:
    other = replace(HOOK, id="w2", active=False)
    store(database, SENT, replace(SENT, id="d2", event_id="e2", due_at=SOON))
    with database.transaction() as tx:
        tx.webhooks.add(other)
        tx.webhooks.send([replace(SENT, id="d3", webhook_id="w2")])
    with database.transaction() as tx:
        assert tx.webhooks.backlog(NOW - timedelta(seconds=1)) == Backlog(0, None)
        assert tx.webhooks.backlog(NOW) == Backlog(1, NOW)
        assert tx.webhooks.backlog(LATER) == Backlog(2, NOW)
        tx.webhooks.note(replace(SENT, outcome=Outcome.DELIVERED))
        assert tx.webhooks.backlog(LATER) == Backlog(1, SOON)


@pytest.mark.parametrize(
    "change", [{"due_at": LATER}, {"outcome": Outcome.FAILED}, {"outcome": Outcome.DELIVERED}]
)
def test_nobody_rings_for_what_is_not_due(database: Database, change: dict[str, object]) -> None:
    store(database, replace(SENT, **change))  # type: ignore[arg-type]  # fields of it
    with database.transaction() as tx:
        assert tx.webhooks.ring(NOW, LATER, 9) == []
        assert tx.webhooks.next("w1", NOW) is None


def test_nobody_rings_for_a_webhook_that_is_off(database: Database) -> None:
    store(database, SENT)
    with database.transaction() as tx:
        tx.webhooks.save(replace(HOOK, active=False))
        assert tx.webhooks.ring(NOW, LATER, 9) == []
        assert not tx.webhooks.claim("w1", NOW, LATER)


def test_one_at_a_time_delivers_to_a_webhook(database: Database) -> None:
    store(database, SENT)
    with database.transaction() as tx:
        assert tx.webhooks.claim("w1", NOW, LATER)
        assert not tx.webhooks.claim("w1", SOON, LATER)
        assert tx.webhooks.ring(SOON, LATER, 9) == []
        tx.webhooks.release("w1")
        assert tx.webhooks.ring(SOON, LATER, 9) == ["w1"]
        assert tx.webhooks.claim("w1", SOON, LATER)
        assert tx.webhooks.claim("w1", LATER + timedelta(seconds=1), LATER)
        assert not tx.webhooks.claim("none", NOW, LATER)


def test_what_is_due_longest_comes_next(database: Database) -> None:
    late = replace(SENT, id="d2", event_id="e2", event_place=8)
    soon = replace(SENT, id="d3", event_id="e3", event_place=9, due_at=NOW - timedelta(seconds=1))
    store(database, late, SENT, soon)
    with database.transaction() as tx:
        order = []
        while found := tx.webhooks.next("w1", NOW):
            order.append(found.id)
            tx.webhooks.note(replace(found, outcome=Outcome.DELIVERED, status=200, attempt=1))
        assert order == ["d3", "d1", "d2"]
        assert tx.webhooks.delivery("w1", "d1").status == 200


def test_the_log_is_paged_newest_first(database: Database) -> None:
    store(database, *(replace(SENT, id=f"d{n}", event_id=f"e{n}", event_place=n) for n in range(5)))
    with database.transaction() as tx:
        first = tx.webhooks.log("w1", None, 3)
        assert [each.id for each in first] == ["d4", "d3", "d2"]
        assert [each.id for each in tx.webhooks.log("w1", "d2", 3)] == ["d1", "d0"]
        for webhook_id, delivery_id in (("w1", "none"), ("w2", "d1")):
            with pytest.raises(WebhookNotFound):
                tx.webhooks.delivery(webhook_id, delivery_id)


def test_what_is_due_is_counted_with_its_oldest(database: Database) -> None:
    later = replace(SENT, id="d2", event_id="e2", due_at=LATER)
    done = replace(SENT, id="d3", event_id="e3", outcome=Outcome.DELIVERED)
    with database.transaction() as tx:
        assert tx.webhooks.backlog(NOW) == Backlog(0)
    store(database, SENT, later, done)
    with database.transaction() as tx:
        assert tx.webhooks.backlog(SOON) == Backlog(1, NOW)
        assert tx.webhooks.backlog(LATER) == Backlog(2, NOW)
        tx.webhooks.save(replace(HOOK, active=False))
        assert tx.webhooks.backlog(LATER) == Backlog(0)
