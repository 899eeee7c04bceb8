"""Brings a database to this version's tables, by the steps in nextstream/migrations (Alembic).

A step once released never changes; a new one is drafted from the difference between the tables
and the steps so far, and then read and corrected by hand:
`python -c "from nextstream.adapters.database.migrations import draft; draft('add captions')"`
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import OperationalError

from nextstream.adapters.database.engine import open_engine, our_errors
from nextstream.errors import Misconfigured

FOLDER = Path(__file__).parents[2] / "migrations"
PATIENCE_S = 60  # for another process that migrates, and for transactions that are in the way
# A change of a table waits until all transactions at it are over, and all later ones wait behind it:
# in PostgreSQL it gives up after this, lets them through, and tries again. A step that holds one
# table and waits for the next can be in a deadlock with a request. PostgreSQL looks for those after
# a second, and ends who looked first: by then the step has let go, so no request is ended.
LOCK_S = 0.1
PAUSE_S = 0.5  # between tries, for what waited behind the last one
MIGRATION_LOCK = 0x6D696772  # any number that no other lock of the database has


def migrate(url: str, folder: Path = FOLDER) -> None:
    """Bring a database to this version's tables; may run twice, in many processes, and under load.

    All steps are one transaction. Raises DatabaseUnavailable, and Misconfigured for a database
    that a newer version has been at.
    """
    # SQLite changes a table by copying and dropping it, and a drop cascades to what refers to it.
    engine = open_engine(url, patience_s=PATIENCE_S, foreign_keys=False)
    deadline = time.monotonic() + PATIENCE_S
    try:
        with our_errors():
            while not _try(engine, folder, last=time.monotonic() > deadline):
                time.sleep(PAUSE_S)
    finally:
        engine.dispose()


def _try(engine: Engine, folder: Path, *, last: bool) -> bool:
    """Take all steps, and tell whether no other transaction was in the way; the last time it raises."""
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":  # in SQLite, BEGIN IMMEDIATE is the lock
                connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
                connection.execute(text(f"SET LOCAL lock_timeout = {round(LOCK_S * 1000)}"))
            _upgrade(connection, folder)
    except OperationalError as error:
        if last or not isinstance(error.orig, LockNotAvailable):
            raise
        return False
    return True


def _upgrade(connection: Connection, folder: Path) -> None:
    try:
        command.upgrade(_configure(connection, folder), "head")
    except CommandError as error:
        raise Misconfigured(
            "This database was used by another version of NextStream; run that one or a newer.",
            detail=str(error),
        ) from error


def draft(message: str, folder: Path = FOLDER) -> Path:
    """Write the next step from what the tables have and the steps don't, and give its path."""
    with tempfile.TemporaryDirectory() as scratch:
        engine = open_engine(f"sqlite:///{scratch}/draft.db", foreign_keys=False)
        with engine.begin() as connection:
            config = _configure(connection, folder)
            command.upgrade(config, "head")
            number = len(list(ScriptDirectory.from_config(config).walk_revisions())) + 1
            command.revision(config, message, autogenerate=True, rev_id=f"{number:04d}")
        engine.dispose()
    return next((folder / "versions").glob(f"{number:04d}_*.py"))


def _configure(connection: Connection, folder: Path = FOLDER) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config
