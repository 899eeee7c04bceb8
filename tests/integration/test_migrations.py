"""Bringing databases of either kind to this version's tables."""

from __future__ import annotations

import ast
import multiprocessing
import re
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, event, inspect, text

from nextstream import wiring
from nextstream.adapters.database import SqlTransaction
from nextstream.adapters.database.engine import open_engine
from nextstream.adapters.database.migrations import FOLDER, draft, migrate
from nextstream.adapters.database.tables import metadata
from nextstream.domain.scheduling import Choice
from nextstream.domain.video import Priority, Visibility
from nextstream.errors import DatabaseUnavailable, Misconfigured
from nextstream.ports import Order, Wanted
from nextstream.settings import Settings
from tests.contract.rows import CHUNK, LATER, MADE, NOW, UPLOAD, VIDEO


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of a database without tables."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path}/test 100%.db"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    yield engine
    engine.dispose()


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


ALL = {"alembic_version", *metadata.tables}


def test_the_steps_lead_to_the_tables(url: str, engine: Engine) -> None:
    migrate(url)
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_steps_and_tables_give_the_same_schema_to_the_letter(tmp_path: Path) -> None:
    """Compare what compare_metadata can't see: cascades, partial indexes and automatic numbers."""
    stepped = open_engine(f"sqlite:///{tmp_path}/steps.db")
    made = open_engine(f"sqlite:///{tmp_path}/tables.db")
    migrate(str(stepped.url))
    metadata.create_all(made)
    assert schema(stepped) == schema(made)


def schema(engine: Engine) -> dict[str, list[str]]:
    """Give what made each table and index, in parts whose order doesn't matter."""
    with engine.begin() as connection:
        rows = connection.execute(
            text("SELECT name, sql FROM sqlite_master WHERE tbl_name <> 'alembic_version'")
        )
        found = {
            # SQLite writes a column that was added behind the rest, on the same line.
            name: sorted({part.strip(") \t") for part in re.split("[,\n]", _plain(sql))} - {""})
            for name, sql in rows
        }
    engine.dispose()
    return found


def _plain(sql: str | None) -> str:
    """Give a statement without the quotes that SQLite puts round the name of a renamed table."""
    return (sql or "").replace('"', "")


def test_migrating_again_changes_nothing(url: str, engine: Engine) -> None:
    migrate(url)
    with engine.begin() as connection:
        names = "(id, name, password_hash, role, created_at)"
        row = "('a', 'a', 'a', 'viewer', '2030-01-01')"
        connection.execute(text(f"INSERT INTO accounts {names} VALUES {row}"))
    migrate(url)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM accounts")).scalar_one() == 1
    assert tables(engine) - {"sqlite_sequence"} == ALL


def test_many_processes_may_migrate_at_once(url: str, engine: Engine) -> None:
    context = multiprocessing.get_context("fork")
    start = context.Barrier(6)

    def join_in() -> None:
        start.wait(30)
        migrate(url)

    crowd = [context.Process(target=join_in) for _ in range(start.parties)]
    for process in crowd:
        process.start()
    for process in crowd:
        process.join(60)
    assert [process.exitcode for process in crowd] == [0] * len(crowd)
    assert tables(engine) - {"sqlite_sequence"} == ALL


def test_a_new_file_that_another_process_writes_to_is_waited_for(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    Timer(0.3, other.rollback).start()
    migrate(f"sqlite:///{tmp_path}/a.db")
    other.close()


def test_a_step_that_fails_leaves_the_database_as_it_was(url: str, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE outbox (mine int)"))
    with pytest.raises(DatabaseUnavailable):
        migrate(url)
    assert tables(engine) == {"outbox"}


def test_a_newer_database_is_told_in_a_sentence(url: str, engine: Engine) -> None:
    migrate(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Misconfigured, match="another version of NextStream"):
        migrate(url)


@pytest.mark.parametrize(
    "wrong", ["", "x", "mysql://h/d", "sqlite://", "sqlite:///:memory:", "postgresql://h:x/d"]
)
def test_a_url_that_means_no_database_is_told_in_a_sentence(wrong: str) -> None:
    with pytest.raises(Misconfigured, match="NEXTSTREAM_DATABASE_URL must start"):
        migrate(wrong)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgres_is_meant_by_all_its_names(postgres_url: str, scheme: str) -> None:
    migrate(f"{scheme}://{postgres_url.partition('://')[2]}")


def test_a_draft_of_no_change_is_an_empty_step(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "migrations")
    step = draft("nothing new", tmp_path / "migrations")
    number = len(list((FOLDER / "versions").glob("0*.py"))) + 1
    assert step.name == f"{number:04d}_nothing_new.py"
    *_, upgrade = ast.parse(step.read_text()).body
    assert isinstance(upgrade, ast.FunctionDef)
    assert isinstance(upgrade.body[-1], ast.Pass)


def test_a_draft_depends_on_no_code_of_today(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "migrations")
    for step in (tmp_path / "migrations" / "versions").glob("*.py"):
        step.unlink()
    step = draft("all", tmp_path / "migrations").read_text()
    compile(step, "step", "exec")
    assert "nextstream" not in step
    assert "sa.DateTime(timezone=True)" in step


def test_wiring_migrates_what_the_settings_name(tmp_path: Path) -> None:
    wiring.migrate(Settings(data_dir=tmp_path))
    wiring.migrate(Settings(database_url=wiring.MEMORY))
    assert (tmp_path / "nextstream.db").exists()


def test_sqlite_keeps_what_it_confirmed_and_what_refers_to_it(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/a.db")
    with engine.begin() as connection:
        found = [
            connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    full = 2
    assert found == ["wal", full, 1, 10_000]
    engine.dispose()


def test_no_query_reads_a_whole_table(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    migrate(url)
    engine, asked = open_engine(url), list[tuple[str, Any]]()

    @event.listens_for(engine, "before_cursor_execute")
    def note(_: Connection, __: object, statement: str, values: Any, *___: object) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            asked.append((statement, values))

    with engine.begin() as connection:
        ask_everything(SqlTransaction(connection))
        plans = {
            line.detail: statement
            for statement, values in list(asked)
            for line in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        }
    engine.dispose()
    assert len(asked) >= 9
    # A scan by an index that is already in the order of the answer ends with its limit.
    # What an inner query has found by an index is read whole.
    scans = {d: s for d, s in plans.items() if re.search(r"SCAN (?!\(subquery|anon_)", d)}
    scans = {d: s for d, s in scans.items() if "INDEX" not in d}
    # An encode has some hundred pieces: sorting those is nothing.
    sorts = {d: s for d, s in plans.items() if "TEMP" in d and "FROM pieces" not in s}
    assert scans | sorts == {}


PLACE = Order.NEWEST.place(VIDEO)


def ask_everything(tx: SqlTransaction) -> None:
    tx.videos.add(VIDEO)
    tx.videos.save(VIDEO)
    tx.videos.page(Wanted(), PLACE, 9)
    tx.videos.page(Wanted("owner"), PLACE, 9)
    tx.videos.page(Wanted(visibility=Visibility.PUBLIC), PLACE, 9)
    tx.videos.access("v1")
    tx.pieces.add("v1", 1, [CHUNK])
    tx.pieces.list("v1", 1)
    task = tx.pieces.claim("v1", 1, CHUNK.name, "w", LATER)
    assert task
    tx.pieces.beat(task, 1, LATER, MADE)
    tx.pieces.survey("v1", 1)
    tx.pieces.survey_all([("v1", 1), ("v2", 3)])
    tx.pieces.made("v1", 1, [CHUNK.name])
    tx.pieces.tally("v1", 1)
    tx.pieces.finish(task, MADE)
    tx.pieces.in_flight()
    tx.pieces.lost(LATER)
    tx.pieces.add("v1", 1, [replace(CHUNK, name="next")])
    tx.pieces.send([Choice(piece.place, 3) for piece in tx.pieces.waiting(LATER, 9)], LATER)
    tx.pieces.count_sent()
    tx.pieces.backlog()
    tx.pieces.unsend(9)
    tx.pieces.free("v1", 1, "publish")
    tx.pieces.hold("v1", 1)
    tx.pieces.renew("v1", 1)
    tx.pieces.prioritise("v1", Priority.HIGH)
    tx.pieces.remove("v1", 2)
    tx.purges.due(LATER, 9)
    tx.purges.remove("a/")
    tx.uploads.add(UPLOAD)
    tx.uploads.get("u1")
    tx.uploads.find_secret("hash")
    tx.uploads.usage("owner")
    upload = tx.uploads.take("u1", LATER, LATER)
    assert upload
    tx.uploads.ask("u1")
    tx.uploads.beat([str(upload.token)], LATER)
    tx.uploads.save(upload)
    tx.uploads.release(upload)
    tx.uploads.due(LATER, 9)
    tx.uploads.unfetched(LATER, LATER, 9)
    tx.uploads.drop("u1")
    tx.uploads.forget(LATER)
    tx.accounts.get("a")
    tx.accounts.find("a")
    tx.accounts.page(None, 9)
    tx.sessions.lock("s")
    tx.sessions.prune(LATER)
    tx.sessions.list("a")
    tx.api_keys.get("k")
    tx.api_keys.list("a")
    tx.audit.page(None, 9)
    tx.keyed_requests.find("owner", "hash")
    tx.keyed_requests.forget(LATER)
    tx.outbox.unsent(9)
    tx.outbox.page(5, 9)
    tx.outbox.page(5, 9, "v1")
    tx.outbox.last("v1")
    tx.outbox.backlog()
    tx.outbox.give_up(NOW)
    tx.outbox.behind(5)
    tx.webhooks.backlog(LATER)
    tx.outbox.mark_sent(["e1", "e2"])
    tx.videos.remove("v1")
