"""What every database does with uploads: one lease at a time, fenced by its token; quotas that hold."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest

from nextstream.domain.source import SourceInfo
from nextstream.domain.uploading import Stage
from nextstream.domain.video import State
from nextstream.errors import ClaimLost, Conflict, UploadNotFound
from nextstream.ports import Database, Parts, Upload, Usage
from tests.contract.conftest import Open
from tests.contract.rows import LATER, NOW, UPLOAD, VIDEO, store

SECOND = timedelta(seconds=1)


@pytest.fixture
def upload(database: Database) -> Upload:
    """Give a stored upload."""
    with database.transaction() as tx:
        tx.uploads.add(UPLOAD)
    return UPLOAD


def take(database: Database, now: object = NOW) -> Upload | None:
    with database.transaction() as tx:
        return tx.uploads.take("u1", now, LATER)  # type: ignore[arg-type]  # a moment


def get(database: Database) -> Upload:
    with database.transaction() as tx:
        return tx.uploads.get("u1")


def test_an_upload_is_read_back_as_it_was(database: Database, upload: Upload) -> None:
    assert get(database) == upload
    with database.transaction() as tx:
        assert tx.uploads.find_secret("none") is None
        with pytest.raises(UploadNotFound):
            tx.uploads.get("none")


def test_an_id_is_there_once(database: Database, upload: Upload) -> None:
    with pytest.raises(Conflict), database.transaction() as tx:
        tx.uploads.add(upload)


def test_of_many_that_take_a_lease_one_gets_it(open_database: Open) -> None:
    with open_database().transaction() as tx:
        tx.uploads.add(UPLOAD)
    got: list[Upload] = []

    def try_it() -> None:
        if taken := take(open_database()):
            got.append(taken)

    crowd = [threading.Thread(target=try_it) for _ in range(4)]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join()
    assert len(got) == 1


def test_a_lease_is_free_again_when_it_is_let_go_or_has_ended(
    database: Database, upload: Upload
) -> None:
    first = take(database)
    assert first
    assert take(database) is None
    with database.transaction() as tx:
        tx.uploads.release(first)
    assert take(database)
    assert take(database, LATER + SECOND)


def test_who_lost_the_lease_changes_nothing(database: Database, upload: Upload) -> None:
    first = take(database)
    second = take(database, LATER + SECOND)
    assert first
    assert second
    for change in (
        lambda tx: tx.uploads.save(replace(first, length=1)),
        lambda tx: tx.uploads.end(first, Stage.GONE),
    ):
        with pytest.raises(ClaimLost), database.transaction() as tx:
            change(tx)
    with database.transaction() as tx:
        tx.uploads.release(first)
        assert tx.uploads.beat([str(first.token)], LATER) == {}
    assert get(database).token == second.token


def test_a_beat_lengthens_the_lease_and_tells_who_is_asked_to_stop(
    database: Database, upload: Upload
) -> None:
    held = take(database)
    assert held
    with database.transaction() as tx:
        assert tx.uploads.beat([str(held.token), "none"], LATER + SECOND) == {held.token: False}
        tx.uploads.ask("u1")
        assert tx.uploads.beat([str(held.token)], LATER + SECOND) == {held.token: True}
        tx.uploads.save(replace(held, parts=Parts(3)))  # the holder's own times don't count
    found = get(database)
    assert (found.lease_until, found.asked, found.offset) == (LATER + SECOND, True, 3)


def test_an_end_lets_everything_go(database: Database, upload: Upload) -> None:
    held = take(database)
    assert held
    with database.transaction() as tx:
        tx.uploads.end(held, Stage.DONE)
    found = get(database)
    assert (found.stage, found.reserved_bytes, found.token) == (Stage.DONE, 0, None)
    assert take(database) is None


@pytest.mark.parametrize(
    ("stage", "late", "is_due"),
    [
        (Stage.OPEN, False, False),
        (Stage.OPEN, True, True),
        (Stage.KEPT, True, True),
        (Stage.COMPLETING, False, True),
        (Stage.DONE, True, False),
        (Stage.GONE, True, False),
    ],
)
def test_what_is_due_is_whole_or_late(
    database: Database, stage: Stage, late: bool, is_due: bool
) -> None:
    with database.transaction() as tx:
        tx.uploads.add(replace(UPLOAD, stage=stage))
        assert bool(tx.uploads.due(LATER + SECOND if late else NOW, 9)) is is_due


def test_an_upload_that_is_dropped_counts_for_nothing_and_is_due_at_once(database: Database) -> None:
    with database.transaction() as tx:
        tx.uploads.add(UPLOAD)
        tx.uploads.add(replace(UPLOAD, id="u2", stage=Stage.DONE, reserved_bytes=0))
        tx.uploads.drop("u1")
        tx.uploads.drop("u2")
    with database.transaction() as tx:
        assert tx.uploads.usage("owner") == Usage(0, 0.0, 0)
        assert [each.id for each in tx.uploads.due(NOW, 9)] == ["u1"]
        assert tx.uploads.get("u2").stage is Stage.DONE


def test_imports_that_nobody_fetches_are_found(database: Database) -> None:
    wanted = replace(UPLOAD, source_url="https://a.example/film.mp4")
    others = [
        replace(wanted, id="sent", sent_at=LATER),
        replace(wanted, id="held", token="t", lease_until=LATER + SECOND),
        replace(wanted, id="done", stage=Stage.DONE),
        replace(wanted, id="no import", source_url=None),
    ]
    with database.transaction() as tx:
        for each in (wanted, *others):
            tx.uploads.add(each)
        assert [each.id for each in tx.uploads.unfetched(LATER, LATER, 9)] == ["u1"]
        assert tx.uploads.unfetched(LATER, NOW, 9) == []
        tx.uploads.note_sent("u1", LATER)
        assert tx.uploads.unfetched(LATER, LATER, 9) == []


def test_ended_uploads_are_forgotten_in_time(database: Database) -> None:
    with database.transaction() as tx:
        tx.uploads.add(replace(UPLOAD, stage=Stage.DONE))
        tx.uploads.add(replace(UPLOAD, id="u2"))
        assert tx.uploads.forget(LATER) == 0
        assert tx.uploads.forget(LATER + SECOND) == 1
        tx.uploads.get("u2")


def test_usage_counts_what_is_stored_and_what_is_reserved(database: Database, upload: Upload) -> None:
    source = SourceInfo("mov", Fraction(0), Fraction(90, 4), 7, None)
    kept = replace(VIDEO, id="v2", state=State.READY, size_bytes=7, source=source)
    failed = replace(kept, id="v3", state=State.FAILED)
    other = replace(kept, id="v4", owner_id="other")
    store(database, kept, failed, other)
    with database.transaction() as tx:
        assert tx.uploads.usage("owner") == Usage(27, 22.5, 1)
        assert tx.uploads.usage("nobody") == Usage(0, 0, 0)


def test_usage_counts_bytes_that_came_beyond_what_was_reserved(database: Database) -> None:
    come = Parts(5 * 1024**3, "m")  # more than 32 bits
    with database.transaction() as tx:
        tx.uploads.add(replace(UPLOAD, id="u1", reserved_bytes=0, parts=come))
        tx.uploads.add(replace(UPLOAD, id="u2", reserved_bytes=30, parts=Parts(4, "m")))
        tx.uploads.add(replace(UPLOAD, id="u3", stage=Stage.DONE, reserved_bytes=0, parts=come))
        assert tx.uploads.usage("owner").size_bytes == 5 * 1024**3 + 30
