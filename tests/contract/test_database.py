"""What every database does: transactions and accounts."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from nextstream.adapters.database import SqlDatabase
from nextstream.adapters.database.engine import open_engine
from nextstream.adapters.database_memory import MemoryDatabase
from nextstream.domain.accounts import Role
from nextstream.domain.plan import PROBE
from nextstream.errors import (
    AccountExists,
    BadRequest,
    Conflict,
    DatabaseUnavailable,
    StaleVideo,
    VideoNotFound,
)
from nextstream.ports import Database, Wanted
from tests.contract.conftest import PATIENCE_S, Open
from tests.contract.rows import ACCOUNT, VIDEO, event, store

# A transaction is all or nothing.


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, StaleVideo])
def test_nothing_of_a_block_that_raises_is_stored(
    database: Database, error: type[BaseException]
) -> None:
    store(database, VIDEO)
    with pytest.raises(error), database.transaction() as tx:  # noqa: PT012  the block is what is tested
        tx.videos.save(replace(VIDEO, title="changed"))
        tx.videos.add(replace(VIDEO, id="v2"))
        tx.pieces.add("v2", 1, [PROBE])
        tx.accounts.add(ACCOUNT)
        tx.outbox.add(event())
        raise error
    with database.transaction() as tx:
        assert tx.videos.page(Wanted(), None, 9) == [VIDEO]
        assert tx.pieces.list("v2", 1) == []
        assert tx.accounts.count() == 0
        assert tx.outbox.page(0, 9) == []


def test_a_transaction_reads_what_it_wrote(database: Database) -> None:
    with database.transaction() as tx:
        tx.videos.add(VIDEO)
        tx.pieces.add("v1", 1, [PROBE])
        tx.outbox.add(event())
        assert tx.videos.get("v1") == VIDEO
        assert len(tx.pieces.list("v1", 1)) == len(tx.outbox.unsent(9)) == 1


def test_another_connection_reads_what_was_committed_and_nothing_before(open_database: Open) -> None:
    first, second = open_database(), open_database()
    store(first, VIDEO)
    with second.transaction() as tx:
        assert tx.videos.get("v1") == VIDEO


def test_a_reader_sees_what_was_committed_and_waits_for_nobody(open_database: Open) -> None:
    first, second = open_database(), open_database()
    store(first, VIDEO)
    with first.transaction() as tx:
        tx.videos.save(replace(VIDEO, title="first"))
        for database in (first, second):
            with database.reading() as other:
                assert other.videos.get("v1").title == VIDEO.title
    with second.reading() as tx:
        assert tx.videos.get("v1").title == "first"


def test_what_a_reader_writes_is_not_kept(database: Database) -> None:
    with suppress(DatabaseUnavailable), database.reading() as tx:
        tx.videos.add(VIDEO)
    with database.reading() as tx, pytest.raises(VideoNotFound):
        tx.videos.get("v1")


def test_a_change_to_what_another_transaction_is_changing_gives_up_in_time(open_database: Open) -> None:
    first, second = open_database(), open_database()
    store(first, VIDEO)
    with first.transaction() as tx:
        tx.videos.save(replace(VIDEO, title="first"))
        with pytest.raises(DatabaseUnavailable) as caught, second.transaction() as other:
            other.videos.save(replace(VIDEO, title="second"))
    assert caught.value.retryable
    with first.transaction() as tx:
        assert tx.videos.get("v1").title == "first"


def memory_away(_: Path) -> Database:
    database = MemoryDatabase()
    database.away = True
    return database


AWAY: dict[str, Callable[[Path], Database]] = {
    "memory": memory_away,
    "sqlite": lambda folder: SqlDatabase(f"sqlite:///{folder}/missing/a.db"),
    "sqlite that is another file": lambda folder: SqlDatabase(f"sqlite:///{garbage(folder)}"),
    "sqlite without tables": lambda folder: SqlDatabase(f"sqlite:///{folder}/a.db"),
    "postgres": lambda _: SqlDatabase("postgresql://u:geheim@127.0.0.1:1/x"),
}


def garbage(folder: Path) -> Path:
    (folder / "garbage").write_bytes(b"no database" * 999)
    return folder / "garbage"


@pytest.mark.parametrize("kind", AWAY)
def test_a_database_that_is_away_is_told_as_an_error_worth_a_retry(kind: str, tmp_path: Path) -> None:
    database = AWAY[kind](tmp_path)
    with pytest.raises(DatabaseUnavailable) as caught, database.transaction() as tx:
        tx.accounts.count()
    assert caught.value.retryable
    assert "geheim" not in str(caught.value)


def test_a_lost_connection_loses_its_transaction_and_no_later_one(postgres_database: str) -> None:
    database = SqlDatabase(postgres_database)
    with pytest.raises(DatabaseUnavailable), database.transaction() as tx:  # noqa: PT012  as above
        tx.videos.add(VIDEO)
        cut_connections(postgres_database)
        tx.accounts.count()
    for _ in range(2):
        with database.transaction() as tx:
            assert tx.videos.page(Wanted(), None, 9) == []
        cut_connections(postgres_database)  # an idle one, as a restart of the server would
    database.close()


def cut_connections(url: str) -> None:
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    engine.dispose()


def test_a_transaction_inside_another_of_a_sqlite_gives_up_in_time(sqlite_database: str) -> None:
    database = SqlDatabase(sqlite_database, PATIENCE_S)
    with database.transaction(), pytest.raises(DatabaseUnavailable), database.transaction():
        pass
    database.close()


def test_half_a_character_is_the_users_mistake(database_url: str) -> None:
    database = SqlDatabase(database_url)
    with pytest.raises(BadRequest), database.transaction() as tx:
        tx.accounts.find("\ud800")
    database.close()


def test_a_nul_that_postgres_can_not_hold_is_the_users_mistake(postgres_database: str) -> None:
    database = SqlDatabase(postgres_database)
    with pytest.raises(BadRequest), database.transaction() as tx:
        tx.accounts.find("a\x00b")
    database.close()


def test_an_error_carries_no_values(database_url: str) -> None:
    database = SqlDatabase(database_url)
    secret = replace(VIDEO, title="geheim")
    store(database, secret)
    with pytest.raises(Conflict) as caught:
        store(database, secret)
    assert "geheim" not in f"{caught.value} {caught.value.__cause__}"
    database.close()


def change_often(url: str) -> None:
    database, saved = SqlDatabase(url), 0
    while saved < 50:
        with suppress(StaleVideo), database.transaction() as tx:
            video = tx.videos.get("v1")
            tx.videos.save(replace(video, version=video.version + 1))
            tx.outbox.add(event(n=saved))
            saved += 1
    database.close()


def test_two_processes_change_one_database_and_no_change_is_lost(database_url: str) -> None:
    database = SqlDatabase(database_url)
    store(database, VIDEO)
    database.close()  # as connections don't survive a fork
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=change_often, args=(database_url,)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    with database.transaction() as tx:
        assert tx.videos.get("v1").version == 101
        assert len(tx.outbox.page(0, 1000)) == 100
    database.close()


# Accounts.


def test_an_account_is_found_by_id_and_by_name_in_any_case(database: Database) -> None:
    with database.transaction() as tx:
        tx.accounts.add(ACCOUNT)
    with database.transaction() as tx:
        assert tx.accounts.get("a1") == tx.accounts.find("BoB") == ACCOUNT
        assert tx.accounts.get("bob") is tx.accounts.find("a1") is None
        assert tx.accounts.count() == 1


def test_a_name_is_taken_once_and_the_transaction_goes_on(database: Database) -> None:
    with database.transaction() as tx:
        tx.accounts.add(ACCOUNT)
        with pytest.raises(AccountExists):
            tx.accounts.add(replace(ACCOUNT, id="a2"))
        tx.accounts.add(replace(ACCOUNT, id="a3", name="ann"))
    with database.transaction() as tx:
        assert tx.accounts.count() == 2
        assert tx.accounts.get("a2") is None


def test_of_many_who_want_a_name_one_gets_it(open_database: Open) -> None:
    def register(n: int) -> bool:
        with suppress(AccountExists), open_database().transaction() as tx:
            tx.accounts.add(replace(ACCOUNT, id=f"a{n}"))
            return True
        return False

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(register, range(4))) == 1


def test_a_changed_account_is_stored(database: Database) -> None:
    changed = replace(ACCOUNT, password_hash="$new", role=Role.OPERATOR)
    with database.transaction() as tx:
        tx.accounts.add(ACCOUNT)
        tx.accounts.save(changed)
    with database.transaction() as tx:
        found = tx.accounts.get("a1")
    assert found == changed
    assert isinstance(found and found.role, Role)


def test_an_account_can_not_take_anothers_name_or_come_back(database: Database) -> None:
    with database.transaction() as tx:
        tx.accounts.add(ACCOUNT)
        tx.accounts.add(replace(ACCOUNT, id="a2", name="ann"))
        with pytest.raises(AccountExists):
            tx.accounts.save(replace(ACCOUNT, id="a2"))
        with pytest.raises(Conflict):
            tx.accounts.save(replace(ACCOUNT, id="gone", name="eve"))
        assert tx.accounts.find("ann") == replace(ACCOUNT, id="a2", name="ann")
