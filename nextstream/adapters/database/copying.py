"""Copies a SQLite database while others write to it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import make_url

from nextstream.errors import DatabaseUnavailable


def copy(url: str, to: Path) -> None:
    """Write the database as it is at one moment into a file, whole or not at all.

    With a WAL, the copy stops no writer (sqlite.org/backup.html). Raises DatabaseUnavailable.
    """
    source, half = make_url(url).database, to.with_name(f"{to.name}.half")
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as reading,
            closing(sqlite3.connect(half)) as writing,
        ):
            reading.backup(writing)
    except sqlite3.Error as error:
        raise DatabaseUnavailable(detail=str(error)) from error
    half.replace(to)
