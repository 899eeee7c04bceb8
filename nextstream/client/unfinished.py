"""Uploads that were begun and aren't done: in memory, or in a folder for another run of the program."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Begun:
    """An upload that was begun: where it goes on, and its video."""

    url: str
    video_id: str


class Unfinished(Protocol):
    """Uploads by a mark that names one unchanged file and one server."""

    def find(self, mark: str) -> Begun | None:
        """Give an upload that was begun."""
        ...

    def note(self, mark: str, begun: Begun) -> None:
        """Keep one, in the place of what is known of it."""
        ...

    def forget(self, mark: str) -> None:
        """Remove one that is done; may be called again."""
        ...


class InMemory:
    """Keeps them as long as the program runs."""

    def __init__(self) -> None:
        self._begun: dict[str, Begun] = {}

    def find(self, mark: str) -> Begun | None:
        """Give one."""
        return self._begun.get(mark)

    def note(self, mark: str, begun: Begun) -> None:
        """Keep one."""
        self._begun[mark] = begun

    def forget(self, mark: str) -> None:
        """Remove one."""
        self._begun.pop(mark, None)


class InFolder:
    """Keeps them in a folder, a small file each, which nobody else can read: a URL may be a secret."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, mark: str) -> Begun | None:
        """Give one; what can't be read is as good as nothing."""
        try:
            return Begun(**json.loads(self._path(mark).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def note(self, mark: str, begun: Begun) -> None:
        """Keep one."""
        write_private(self._path(mark), json.dumps(asdict(begun)))

    def forget(self, mark: str) -> None:
        """Remove one."""
        self._path(mark).unlink(missing_ok=True)

    def _path(self, mark: str) -> Path:
        return self._folder / f"{mark}.json"


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone can read, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(text)
    new.replace(path)
