"""Copies what an installation keeps in its data folder, while it runs; the copy is a data folder too."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nextstream import wiring
from nextstream.errors import Misconfigured
from nextstream.settings import Settings

DATABASE, MEDIA, KEYS, SECRET = "nextstream.db", "media", "keys", "secret_key"
HALF_WRITTEN = ".incoming"  # where the storage keeps what has no name yet


@dataclass(frozen=True)
class Copied:
    """What a backup took; files that were there already count as kept."""

    files: int
    kept: int


def copy(settings: Settings, folder: Path) -> Copied:
    """Copy database, keys and media into a folder of backups, in which only what is new is written.

    The database comes first: what it names is stored by then, so that the copy of the media has it. A
    video that is deleted meanwhile may come back without its files. The queue is left out: what it
    holds follows from the database. Raises Misconfigured where those are not in the data folder.
    """
    data = settings.data_dir.absolute()
    if settings.database_url or settings.storage_url or settings.keys_dir:
        raise Misconfigured(
            "This copies what is in the data folder alone; for PostgreSQL, S3 and other folders see "
            "Backup and restore in docs/operations.md."
        )
    if folder.absolute().is_relative_to(data):
        raise Misconfigured("Choose a folder for backups that isn't inside the data folder.")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _forget(data / MEDIA, folder / MEDIA)
    wiring.copy_database(settings, folder / DATABASE)
    if (data / SECRET).exists():
        shutil.copy2(data / SECRET, folder / SECRET)
    taken = [_copy(data, folder, name) for place in (KEYS, MEDIA) for name in _files(data, place)]
    return Copied(taken.count(True), taken.count(False))


def _forget(now: Path, before: Path) -> None:
    """Remove what an earlier backup has of files that are gone."""
    for name in list(_files(before, "")):
        if not (now / name).exists():
            (before / name).unlink()


def _files(root: Path, place: str) -> Iterator[Path]:
    """Give the files below a place by their paths from the root."""
    for folder, folders, names in os.walk(root / place):  # unlike rglob, it bears what vanishes
        if HALF_WRITTEN in folders:
            folders.remove(HALF_WRITTEN)
        yield from (Path(folder, name).relative_to(root) for name in names)


def _copy(data: Path, folder: Path, name: Path) -> bool:
    """Copy a file unless it is there, and tell whether it was copied."""
    source, target = data / name, folder / name
    with suppress(FileNotFoundError):  # removed meanwhile, or not there yet
        now, before = source.stat(), target.stat()
        if (now.st_size, now.st_mtime_ns) == (before.st_size, before.st_mtime_ns):
            return False
    with suppress(FileNotFoundError):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    return True
