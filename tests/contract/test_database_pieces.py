"""What every database does with pieces of work: one claim at a time, fenced by its token."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from nextstream.domain.plan import PROBE, PUBLISH
from nextstream.domain.scheduling import Blame
from nextstream.errors import (
    ClaimLost,
    Conflict,
    DatabaseUnavailable,
)
from nextstream.ports import Database, Standing, Task, Transaction
from tests.contract.conftest import Open
from tests.contract.rows import CHUNK, LATER, MADE, NOW, VIDEO, store


@pytest.fixture
def claimed(database: Database) -> Task:
    """Give a claimed chunk of a stored video."""
    with database.transaction() as tx:
        tx.videos.add(VIDEO)
        tx.pieces.add("v1", 1, [CHUNK])
    task = claim(database)
    assert task
    return task


def claim(database: Database, worker: str = "w1") -> Task | None:
    with database.transaction() as tx:
        return tx.pieces.claim("v1", 1, CHUNK.name, worker, LATER)


def chunk(database: Database) -> Task:
    with database.transaction() as tx:
        (task,) = tx.pieces.list("v1", 1)
    return task


def test_pieces_wait_in_the_order_they_were_added(database: Database) -> None:
    pieces = [replace(CHUNK, name=f"video-{n}") for n in (3, 1, 2)]
    store(database, VIDEO)
    with database.transaction() as tx:
        tx.pieces.add("v1", 1, [PROBE])
        tx.pieces.add("v1", 1, iter(pieces))
        tx.pieces.add("v1", 1, [])
        tx.pieces.add("v1", 2, [PUBLISH])
    with database.transaction() as tx:
        assert tx.pieces.list("v1", 1) == [Task("v1", 1, piece) for piece in (PROBE, *pieces)]
        assert tx.pieces.list("v1", 2) == [Task("v1", 2, PUBLISH, "held")]


def test_a_piece_is_there_once_for_each_encode(database: Database) -> None:
    store(database, VIDEO)
    with database.transaction() as tx:
        tx.pieces.add("v1", 1, [PROBE])
        tx.pieces.add("v1", 2, [PROBE])
    with pytest.raises(Conflict), database.transaction() as tx:
        tx.pieces.add("v1", 1, [CHUNK, PROBE])
    with database.transaction() as tx:
        assert len(tx.pieces.list("v1", 1)) == 1


def test_a_piece_has_a_video(database: Database) -> None:
    with pytest.raises(Conflict), database.transaction() as tx:
        tx.pieces.add("v1", 1, [PROBE])


def test_a_claim_takes_the_piece_and_counts_the_attempt(database: Database, claimed: Task) -> None:
    expected = Task(
        "v1", 1, CHUNK, "running", attempt=1, worker="w1", token=claimed.token, lease_until=LATER
    )
    assert claimed == chunk(database) == expected
    assert len(claimed.token or "") >= 32


def test_a_piece_that_is_taken_done_failed_or_unknown_is_not_claimed(
    database: Database, claimed: Task
) -> None:
    def another(name: str) -> Task | None:
        with database.transaction() as tx:
            return tx.pieces.claim("v1", 1, name, "w2", LATER)

    assert another(CHUNK.name) is None
    assert another("unknown") is None
    with database.transaction() as tx:
        tx.pieces.add("v1", 1, [PROBE])
    probe = another(PROBE.name)
    assert probe
    with database.transaction() as tx:
        tx.pieces.finish(claimed, MADE)
        tx.pieces.give_back(probe, "no", final=True)
    assert another(CHUNK.name) is None
    assert another(PROBE.name) is None


def test_a_lease_that_has_ended_is_found_and_lets_another_claim(
    database: Database, claimed: Task
) -> None:
    moment = timedelta(microseconds=1)
    with database.transaction() as tx:
        assert tx.pieces.lost(LATER) == []
        (lost,) = tx.pieces.lost(LATER + moment)
        assert lost == claimed
        tx.pieces.give_back(lost, "gone", final=False, blame=Blame.WORKER)
    taken = claim(database, "w2")
    assert taken
    assert (taken.worker, taken.attempt, taken.losses, taken.failed_by) == ("w2", 2, 1, ())
    assert taken.token != claimed.token


def test_a_heartbeat_lengthens_the_lease(database: Database, claimed: Task) -> None:
    with database.transaction() as tx:
        tx.pieces.beat(claimed, 72, LATER + timedelta(seconds=60))
    assert chunk(database) == replace(claimed, frames_done=72, lease_until=LATER + timedelta(seconds=60))
    with database.transaction() as tx:
        assert tx.pieces.lost(LATER + timedelta(seconds=1)) == []


def test_what_is_made_so_far_stays_noted_whoever_goes_on(database: Database, claimed: Task) -> None:
    with database.transaction() as tx:
        tx.pieces.beat(claimed, 72, LATER, list(MADE))
        tx.pieces.beat(claimed, 80, LATER)
    assert chunk(database).renditions == MADE
    with database.transaction() as tx:
        tx.pieces.give_back(claimed, "it broke", final=False)
    again = claim(database, "w2")
    assert again
    assert again.renditions == MADE


def test_an_encode_is_surveyed_without_what_was_made(database: Database, claimed: Task) -> None:
    with database.transaction() as tx:
        tx.pieces.add("v1", 1, [PUBLISH])
        tx.pieces.add("v1", 2, [PROBE])
        tx.pieces.beat(claimed, 72, LATER)
        running, held = Standing("running", 72), Standing("held", 0)
        assert tx.pieces.survey("v1", 1) == {CHUNK.name: running, PUBLISH.name: held}
        tx.pieces.finish(claimed, MADE)
        assert tx.pieces.survey("v1", 1)[CHUNK.name] == Standing("done", 144)


def test_many_encodes_are_surveyed_at_once(database: Database, claimed: Task) -> None:
    with database.transaction() as tx:
        tx.videos.add(replace(VIDEO, id="v2"))
        tx.pieces.add("v1", 2, [PROBE])
        tx.pieces.add("v2", 1, [PROBE])
        tx.pieces.add("v2", 2, [PROBE])
        wanted = [("v1", 1), ("v2", 2), ("v3", 1)]
        each = {encode: tx.pieces.survey(*encode) for encode in wanted}
        assert tx.pieces.survey_all(wanted) == {e: found for e, found in each.items() if found}
        assert each[("v1", 1)][CHUNK.name].state == "running"
        assert tx.pieces.survey_all([]) == {}


def test_what_some_pieces_made_comes_in_their_order(database: Database, claimed: Task) -> None:
    with database.transaction() as tx:
        tx.pieces.add("v1", 1, [PROBE, PUBLISH])
        other = tx.pieces.claim("v1", 1, PROBE.name, "w2", LATER)
        assert other
        sound = replace(MADE[0], name="a0")
        tx.pieces.beat(other, 0, LATER, [sound])
        tx.pieces.finish(claimed, MADE)
        assert tx.pieces.made("v1", 1, [PROBE.name, CHUNK.name]) == [*MADE, sound]
        assert tx.pieces.made("v1", 1, [PUBLISH.name, "unknown"]) == []
        assert tx.pieces.made("v1", 2, [CHUNK.name]) == []


def test_a_late_worker_may_go_on_while_nobody_took_over(database: Database, claimed: Task) -> None:
    with database.transaction() as tx:
        tx.pieces.beat(claimed, 1, LATER)
        tx.pieces.finish(claimed, MADE)
    assert chunk(database).state == "done"


def test_a_finished_piece_keeps_what_it_made(database: Database, claimed: Task) -> None:
    with database.transaction() as tx:
        tx.pieces.finish(claimed, list(MADE))
    assert chunk(database) == Task(
        "v1", 1, CHUNK, "done", attempt=1, worker="w1", frames_done=144, renditions=MADE
    )


@pytest.mark.parametrize(("final", "state"), [(False, "waiting"), (True, "failed")])
def test_a_piece_given_back_tells_why(
    database: Database, claimed: Task, *, final: bool, state: str
) -> None:
    with database.transaction() as tx:
        tx.pieces.beat(claimed, 50, LATER)
        tx.pieces.give_back(claimed, "it broke", final=final, now=NOW)
    blamed = Task("v1", 1, CHUNK, state, attempt=1, worker="w1", error="it broke")
    assert chunk(database) == replace(blamed, failed_by=("w1",), failed_at=NOW)
    again = claim(database, "w2")
    assert (again is None) == final
    if again:
        assert (again.attempt, again.error) == (2, "it broke")


USES: dict[str, Callable[[Transaction, Task], None]] = {
    "beat": lambda tx, task: tx.pieces.beat(task, 1, LATER),
    "finish": lambda tx, task: tx.pieces.finish(task, MADE),
    "give back": lambda tx, task: tx.pieces.give_back(task, "x", final=True),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("how", ["taken over", "done", "given back", "removed", "never claimed"])
def test_a_claim_that_was_lost_can_do_nothing(
    database: Database, claimed: Task, use: Callable[[Transaction, Task], None], how: str
) -> None:
    with database.transaction() as tx:
        if how == "done":
            tx.pieces.finish(claimed, MADE)
        if how == "given back":
            tx.pieces.give_back(claimed, "x", final=False)
        if how == "removed":
            tx.videos.remove("v1")
        if how == "never claimed":
            tx.pieces.add("v1", 2, [CHUNK])
            claimed = replace(claimed, version=2, token=None)
    if how == "taken over":
        with database.transaction() as tx:
            tx.pieces.give_back(claimed, "gone", final=False, blame=Blame.WORKER)
        assert claim(database, "w2")
    before = None if how == "removed" else chunk(database)
    with pytest.raises(ClaimLost), database.transaction() as tx:
        use(tx, claimed)
    assert before is None or chunk(database) == before


def test_of_many_claims_at_once_one_wins(open_database: Open) -> None:
    database, crowd = open_database(), 8
    names = [f"video-{n}" for n in range(5)]
    store(database, VIDEO)
    with database.transaction() as tx:
        tx.pieces.add("v1", 1, [replace(CHUNK, name=name) for name in names])
    start = threading.Barrier(crowd)
    mine = [open_database() for _ in range(crowd)]

    def grab(n: int) -> list[Task]:
        won = []
        for name in names:
            start.wait(10)
            while True:
                with suppress(DatabaseUnavailable), mine[n].transaction() as tx:
                    won.append(tx.pieces.claim("v1", 1, name, f"w{n}", LATER))
                    break
        return [task for task in won if task]

    with ThreadPoolExecutor(crowd) as pool:
        won = [task for tasks in pool.map(grab, range(crowd)) for task in tasks]
    assert sorted(task.piece.name for task in won) == names
    with database.transaction() as tx:
        stored = tx.pieces.list("v1", 1)
    assert sorted(won, key=lambda task: task.piece.name) == stored
    assert {task.attempt for task in stored} == {1}
