"""What every database does to send pieces: it chooses by owner, marks once, and finds what was lost."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from nextstream.domain.backlog import LONGEST_S, Backlog, Running
from nextstream.domain.plan import PUBLISH, Kind, Piece
from nextstream.domain.scheduling import Blame, Choice, Waiting
from nextstream.domain.video import Priority
from nextstream.ports import Database, Message, Purge, Tally, Task, Transaction, Worker
from tests.contract.rows import CHUNK, LATER, MADE, NOW, VIDEO, store

SECOND = timedelta(seconds=1)
CHUNKS = [replace(CHUNK, name=f"video-{n:05d}", first_frame=144 * n) for n in range(3)]


@pytest.fixture
def filled(database: Database) -> Database:
    """Give a database with a video of three chunks, and another owner's with one."""
    store(database, VIDEO, replace(VIDEO, id="v2", owner_id="other", request_id="req-2"))
    with database.transaction() as tx:
        tx.pieces.add("v1", 1, [*CHUNKS, PUBLISH])
        tx.pieces.add("v2", 1, [Piece("audio-a0", Kind.AUDIO, 0, 9, voice="a0")])
    return database


def claim(tx: Transaction, name: str, worker: str = "w1") -> Task:
    task = tx.pieces.claim("v1", 1, name, worker, LATER)
    assert task
    return task


def place(piece: Waiting) -> int:
    return piece.place


def states(tx: Transaction) -> list[str]:
    return [task.state for task in tx.pieces.list("v1", 1)]


def test_of_each_owner_the_first_pieces_may_be_sent(filled: Database) -> None:
    with filled.transaction() as tx:
        found = tx.pieces.waiting(NOW, per_owner=2)
        assert Counter(piece.owner_id for piece in found) == {"owner": 2, "other": 1}
        mine = sorted(piece.place for piece in found if piece.owner_id == "owner")
        every = sorted(p.place for p in tx.pieces.waiting(NOW, 9) if p.owner_id == "owner")
        assert mine == every[:2]


def test_a_piece_is_sent_once_with_what_its_message_needs(filled: Database) -> None:
    with filled.transaction() as tx:
        waiting = {piece.owner_id: piece for piece in tx.pieces.waiting(NOW, 1)}
        choices = [Choice(waiting["other"].place, 5), Choice(waiting["owner"].place, 3)]
        assert tx.pieces.send(choices, NOW) == [
            Message("v2", 1, "audio-a0", Kind.AUDIO, "req-2", 0, 5),
            Message("v1", 1, "video-00000", Kind.VIDEO, None, 0, 3, ("v720", "v480")),
        ]
    with filled.transaction() as tx:
        assert tx.pieces.send(choices, NOW) == []
        assert tx.pieces.send([], NOW) == []
        assert states(tx) == ["sent", "waiting", "waiting", "held"]
        assert tx.pieces.in_flight() == {"owner": 1, "other": 1}
        claim(tx, "video-00000")
        assert tx.pieces.in_flight() == {"owner": 1, "other": 1}


def test_of_the_messages_that_are_out_the_oldest_are_sent_again(filled: Database) -> None:
    with filled.transaction() as tx:
        assert tx.pieces.count_sent() == 0
        for piece, later in zip(sorted(tx.pieces.waiting(NOW, 9), key=place), (2, 0, 1, 3), strict=True):
            tx.pieces.send([Choice(piece.place, 3)], NOW + later * SECOND)
        claim(tx, "video-00002")
        assert tx.pieces.count_sent() == 3
        assert tx.pieces.unsend(1) == 1
        assert states(tx) == ["sent", "waiting", "running", "held"]
        assert tx.pieces.unsend(9) == 2
        assert tx.pieces.count_sent() == 0


def test_a_piece_that_failed_waits_until_its_time(filled: Database) -> None:
    with filled.transaction() as tx:
        task = claim(tx, "video-00000")
        tx.pieces.give_back(task, "no", final=False, now=NOW, not_before=LATER)
        assert len(tx.pieces.waiting(LATER - SECOND, 9)) == 3
        assert len(tx.pieces.waiting(LATER, 9)) == 4


@pytest.mark.parametrize(
    ("blame", "expected"),
    [
        (Blame.PIECE, {"attempt": 1, "failed_by": ("w1",), "failed_at": NOW}),
        (Blame.WORKER, {"attempt": 1, "losses": 1}),
        (Blame.NOBODY, {"attempt": 0}),
    ],
)
def test_what_a_claim_leaves_behind_depends_on_whose_fault_it_was(
    filled: Database, blame: Blame, expected: dict[str, object]
) -> None:
    with filled.transaction() as tx:
        task = claim(tx, "video-00000")
        tx.pieces.give_back(task, "no", final=False, blame=blame, now=NOW)
    with filled.transaction() as tx:
        found = tx.pieces.list("v1", 1)[0]
    assert {name: getattr(found, name) for name in expected} == expected
    assert found.state == "waiting"


def test_a_tally_counts_all_but_publish_and_knows_the_init_segments(filled: Database) -> None:
    with filled.transaction() as tx:
        assert tx.pieces.tally("v1", 1) == Tally(3, {})
        tx.pieces.finish(claim(tx, "video-00000"), MADE)
        tx.pieces.finish(claim(tx, "video-00001"), MADE)
        assert tx.pieces.tally("v1", 1) == Tally(1, {MADE[0].name: MADE[0].init_sha256})
        tx.pieces.finish(claim(tx, "video-00002"), ())
        assert tx.pieces.tally("v1", 1).unfinished == 0
        assert tx.pieces.tally("v1", 2) == Tally(0, {})


def test_publish_is_held_until_it_is_freed(filled: Database) -> None:
    with filled.transaction() as tx:
        assert tx.pieces.claim("v1", 1, PUBLISH.name, "w1", LATER) is None
        tx.pieces.free("v1", 1, PUBLISH.name)
        tx.pieces.free("v1", 1, "video-00000")
        assert states(tx) == ["waiting"] * 4
        claim(tx, PUBLISH.name)
        tx.pieces.free("v1", 1, PUBLISH.name)
        assert states(tx)[-1] == "running"


def test_what_is_held_is_lost_to_whoever_had_it_and_renewed_as_if_never_tried(
    filled: Database,
) -> None:
    with filled.transaction() as tx:
        tx.pieces.finish(claim(tx, "video-00000"), MADE)
        tx.pieces.give_back(claim(tx, "video-00001"), "no", final=True, now=NOW, not_before=LATER)
        claim(tx, "video-00002")
        tx.pieces.hold("v1", 1)
        assert states(tx) == ["done", "failed", "held", "held"]
        assert tx.pieces.lost(LATER + SECOND) == []
        tx.pieces.renew("v1", 1)
        assert states(tx) == ["done", "waiting", "waiting", "held"]
        fresh = tx.pieces.list("v1", 1)[1]
        assert (fresh.attempt, fresh.error, fresh.failed_by, fresh.losses) == (0, None, (), 0)
        assert len(tx.pieces.waiting(NOW, 9)) == 3


def test_a_priority_changes_what_is_not_done(filled: Database) -> None:
    with filled.transaction() as tx:
        tx.pieces.prioritise("v1", Priority.HIGH)
        found = {piece.owner_id: piece.priority for piece in tx.pieces.waiting(NOW, 9)}
        assert found["owner"] < found["other"]


def test_the_pieces_of_one_encode_are_removed_alone(filled: Database) -> None:
    with filled.transaction() as tx:
        tx.pieces.add("v1", 2, [CHUNK])
        tx.pieces.remove("v1", 1)
        tx.pieces.remove("v1", 1)
        assert (tx.pieces.list("v1", 1), len(tx.pieces.list("v1", 2))) == ([], 1)


def test_a_worker_is_as_it_last_said(database: Database) -> None:
    with database.transaction() as tx:
        for name in ("b", "a"):
            tx.workers.note(Worker(name, 2, NOW))
        tx.workers.note(Worker("a", 4, LATER, draining=True))
    with database.transaction() as tx:
        assert tx.workers.list() == [Worker("a", 4, LATER, draining=True), Worker("b", 2, NOW)]
        assert tx.workers.remove("a")
        assert not tx.workers.remove("a")
        assert [worker.name for worker in tx.workers.list()] == ["b"]


def test_a_purge_is_due_at_its_time_and_counts_its_sweeps(database: Database) -> None:
    first, second = Purge("videos/b/", NOW), Purge("videos/a/", LATER, keep="source")
    with database.transaction() as tx:
        tx.purges.add(second)
        tx.purges.add(first)
        assert tx.purges.due(NOW - SECOND, 9) == []
        assert tx.purges.due(LATER, 9) == [first, second]
        assert tx.purges.due(LATER, 1) == [first]
        assert tx.purges.note_swept(first, LATER)
        assert not tx.purges.note_swept(first, LATER)
        assert replace(first, due_at=LATER, sweeps=1) in tx.purges.due(LATER, 9)


def test_a_purge_that_has_begun_can_not_be_called_off(database: Database) -> None:
    with database.transaction() as tx:
        for prefix in ("a/", "b/"):
            tx.purges.add(Purge(prefix, NOW))
        assert tx.purges.note_swept(Purge("a/", NOW), LATER)
        assert [tx.purges.remove(prefix) for prefix in ("a/", "b/", "c/")] == [False, True, False]
        assert tx.purges.due(LATER, 9) == []


def test_a_purge_is_put_off_without_being_counted_where_it_is_as_it_was_read(database: Database) -> None:
    with database.transaction() as tx:
        tx.purges.add(Purge("a/", NOW))
        assert tx.purges.postpone(Purge("a/", NOW), LATER)
        assert tx.purges.due(NOW, 9) == []
        assert tx.purges.due(LATER, 9) == [Purge("a/", LATER)]
        assert not tx.purges.postpone(Purge("a/", NOW, sweeps=1), NOW)
        assert not tx.purges.postpone(Purge("b/", NOW), NOW)
        assert tx.purges.due(LATER, 9) == [Purge("a/", LATER)]


def test_a_purge_replaces_the_one_before_it(database: Database) -> None:
    with database.transaction() as tx:
        tx.purges.add(Purge("a/", LATER, keep="source"))
        tx.purges.add(Purge("a/", NOW))
        assert tx.purges.due(LATER, 9) == [Purge("a/", NOW)]


def test_pieces_that_are_not_done_are_counted_by_state(filled: Database) -> None:
    with filled.transaction() as tx:
        tx.pieces.finish(claim(tx, "video-00000"), MADE)
        claim(tx, "video-00001")
        assert tx.pieces.count() == {"held": 1, "waiting": 2, "sent": 0, "running": 1}


def test_a_message_names_the_trace_its_video_is_a_part_of(database: Database) -> None:
    store(database, replace(VIDEO, traceparent="00-1-2-01"))
    with database.transaction() as tx:
        tx.pieces.add("v1", 1, CHUNKS)
        (first,) = tx.pieces.waiting(NOW, 1)
        (message,) = tx.pieces.send([Choice(first.place, 0)], NOW)
    assert message.traceparent == "00-1-2-01"


def test_the_backlog_is_what_waits_or_was_sent_and_how_far_each_claim_is(database: Database) -> None:
    store(database, VIDEO)
    costs_s = {"video-00000": 10.0, "video-00001": 20.0, "video-00002": 2 * LONGEST_S, "publish": 9.0}
    with database.transaction() as tx:
        assert tx.pieces.backlog() == Backlog()
        tx.pieces.add("v1", 1, [*CHUNKS, replace(CHUNK, name="free"), PUBLISH], costs_s)
        assert tx.pieces.backlog() == Backlog(4, 30.0 + LONGEST_S)
        sent = next(piece for piece in tx.pieces.waiting(NOW, 9))
        tx.pieces.send([Choice(sent.place, 3)], NOW)
        assert tx.pieces.backlog().pieces == 4
        task = claim(tx, "video-00001")
        tx.pieces.beat(task, CHUNK.frames // 4, LATER)
        done = claim(tx, "free")
        tx.pieces.finish(done, ())
        assert tx.pieces.backlog() == Backlog(2, 10.0 + LONGEST_S, {task.token: Running(20.0, 0.25)})
