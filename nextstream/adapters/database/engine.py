"""Opens SQLite and PostgreSQL so that a commit lasts and no wait is endless; makes their errors ours."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from nextstream.errors import BadRequest, Conflict, DatabaseUnavailable, Misconfigured

PATIENCE_S = 10  # for a lock or a free connection: transactions last milliseconds
CONNECT_S = 5
RETRY_S = 0.02
READERS = 4  # of one process at once; each takes a fraction of a millisecond
WHICH = "NEXTSTREAM_DATABASE_URL must start with sqlite:///path or postgresql://host."


def open_engine(url: str, *, patience_s: float = PATIENCE_S, foreign_keys: bool = True) -> Engine:
    """Give an engine for a database, which connects when first used; raises Misconfigured.

    Open it after forking: two processes can't share a connection.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed, patience_s, foreign_keys=foreign_keys)
    return _open_postgres(parsed, patience_s)


def open_reader(url: str, patience_s: float = PATIENCE_S) -> Engine | None:
    """Give an engine for transactions that only read a SQLite; elsewhere any engine does.

    In a WAL they wait neither for the one that writes, in whatever process, nor for its disk.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() != "sqlite":
        return None
    engine = create_engine(
        parsed,
        hide_parameters=True,
        pool_size=READERS,
        max_overflow=0,
        pool_timeout=patience_s,
        connect_args={"timeout": patience_s},
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # as in _open_sqlite
        connection.execute("PRAGMA query_only = ON")  # a write would be lost, so it fails

    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


@contextmanager
def our_errors() -> Iterator[None]:
    """Raise the vendors' errors as ours; the details carry no statement, whose values may be secret."""
    try:
        yield
    except IntegrityError as error:
        raise Conflict(detail=_reason(error)) from error
    except (DataError, UnicodeEncodeError) as error:  # a NUL or half a character in a text
        raise BadRequest("The request holds text or a number that can't be stored.") from error
    except DBAPIError as error:
        raise DatabaseUnavailable(detail=_reason(error)) from error
    except PoolTimeout as error:
        raise DatabaseUnavailable(detail="all connections are in use") from error


def _reason(error: DBAPIError) -> str:
    return next(iter(str(error.orig).splitlines()), type(error.orig).__name__)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:  # ValueError for a port that is no number
        raise Misconfigured(WHICH) from error
    if parsed.drivername in ("postgres", "postgresql"):
        return parsed.set(drivername="postgresql+psycopg")
    on_disk = parsed.drivername == "sqlite" and parsed.database not in (None, "", ":memory:")
    if not on_disk and parsed.drivername != "postgresql+psycopg":
        raise Misconfigured(WHICH)
    return parsed


def _open_sqlite(url: URL, patience_s: float, *, foreign_keys: bool) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        # Transactions take turns in SQLite anyway. In a queue for one connection the next one
        # starts at once; those that wait for SQLite's lock sleep longer and longer between tries.
        pool_size=1,
        max_overflow=0,
        pool_timeout=patience_s,
        connect_args={"timeout": patience_s},  # for other processes: SQLite's busy_timeout
    )
    pragmas = (
        # With NORMAL, a power cut takes the last commits of a WAL, whose uploads were confirmed.
        "PRAGMA synchronous = FULL",
        f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}",  # SQLite's own default is off
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _: object) -> None:
        # sqlite3 would begin a transaction at its first write, so we do it ourselves: see
        # "Enabling Non-Legacy SQLite Transactional Modes" in SQLAlchemy's documentation.
        connection.isolation_level = None
        _switch_to_wal(connection, patience_s)
        for pragma in pragmas:
            connection.execute(pragma)

    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    """Take the turn to write from the start: who reads first and then has to wait can't go on."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _switch_to_wal(connection: sqlite3.Connection, patience_s: float) -> None:
    """Let a commit cost one fsync, and a backup's reads stop nobody; the file keeps the mode.

    In a new file, two connections that switch at once can both be told at once that it is busy:
    SQLite's own patience doesn't extend to this.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(RETRY_S)
        else:
            return


def _open_postgres(url: URL, patience_s: float) -> Engine:
    patience_ms = round(patience_s * 1000)
    chosen = {
        "connect_timeout": CONNECT_S,
        "options": f"-c lock_timeout={patience_ms}",  # PostgreSQL itself waits without end
        "tcp_user_timeout": patience_ms,  # Linux takes a quarter of an hour to give up a lost server
    }
    return create_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,  # a server that was restarted costs no request
        pool_timeout=patience_s,
        connect_args={name: value for name, value in chosen.items() if name not in url.query},
    )
