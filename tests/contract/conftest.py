"""Databases of each kind, empty for every test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete

from nextstream.adapters.database import SqlDatabase
from nextstream.adapters.database.engine import open_engine
from nextstream.adapters.database.migrations import migrate
from nextstream.adapters.database.tables import metadata
from nextstream.adapters.database_memory import MemoryDatabase
from nextstream.ports import Database
from tests import servers

PATIENCE_S = 0.3

Open = Callable[[], Database]


@pytest.fixture(scope="session")
def _postgres_tables(_postgres_server: str) -> Iterator[str]:
    with servers.database(_postgres_server) as url:
        migrate(url)
        yield url


@pytest.fixture
def postgres_database(_postgres_tables: str) -> Iterator[str]:
    """Give the URL of a PostgreSQL with all tables, which is emptied after the test."""
    yield _postgres_tables
    engine = open_engine(_postgres_tables)
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(delete(table))
    engine.dispose()


@pytest.fixture
def sqlite_database(tmp_path: Path) -> str:
    """Give the URL of a SQLite with all tables."""
    url = f"sqlite:///{tmp_path}/test.db"
    migrate(url)
    return url


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Give the URL of a database of each kind that has one."""
    return str(request.getfixturevalue(f"{request.param}_database"))


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def open_database(request: pytest.FixtureRequest) -> Iterator[Open]:
    """Give a way to open one database as often as processes would; each is soon out of patience."""
    if request.param == "memory":
        memory = MemoryDatabase(PATIENCE_S, check=lambda _: None)  # rows of any kind
        yield lambda: memory
        return
    url, opened = request.getfixturevalue(f"{request.param}_database"), list[Database]()

    def open_another() -> Database:
        opened.append(SqlDatabase(url, PATIENCE_S))
        return opened[-1]

    yield open_another
    for database in opened:
        database.close()


@pytest.fixture
def database(open_database: Open) -> Database:
    """Give an empty database of each kind."""
    return open_database()
