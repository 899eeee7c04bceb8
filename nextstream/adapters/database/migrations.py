"""Brings a database to this version's tables, by the steps in nextstream/migrations (Alembic).

A step once released never changes; a new one is drafted from the difference between the tables
and the steps so far, and then read and corrected by hand:
`python -c "from nextstream.adapters.database.migrations import draft; draft('add captions')"`
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, func, select

from nextstream.adapters.database.engine import open_engine, our_errors
from nextstream.errors import Misconfigured

FOLDER = Path(__file__).parents[2] / "migrations"
PATIENCE_S = 60  # for another process that migrates
MIGRATION_LOCK = 0x6D696772  # any number that no other lock of the database has


def migrate(url: str) -> None:
    """Bring a database to this version's tables; may run twice, and in many processes at once.

    All steps are one transaction. Raises DatabaseUnavailable, and Misconfigured for a database
    that a newer version has been at.
    """
    # SQLite changes a table by copying and dropping it, and a drop cascades to what refers to it.
    engine = open_engine(url, patience_s=PATIENCE_S, foreign_keys=False)
    try:
        with our_errors(), engine.begin() as connection:
            if connection.dialect.name == "postgresql":  # in SQLite, BEGIN IMMEDIATE is the lock
                connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
            _upgrade(connection)
    finally:
        engine.dispose()


def _upgrade(connection: Connection) -> None:
    try:
        command.upgrade(_configure(connection), "head")
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
