"""Folders for pieces in work, which don't outlive the process that made them for long."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nextstream.errors import EncoderFailed, ScratchFull

PREFIX = "nextstream-scratch-"
LOCK = "lock"
RESERVE_BYTES = 64 * 1024**2  # for logs and whatever else lies on the same disk


class Scratch:
    """A place for the folders of pieces, each under a lock that the kernel drops with its process.

    A process begins by removing the folders of those that are gone. A number would not tell them:
    it may belong to another process by now, or to one in another container.
    """

    def __init__(self, folder: str) -> None:
        self._base = Path(folder or tempfile.gettempdir())
        sweep(self._base)

    @contextmanager
    def folder(self, size_bytes: int = 0) -> Iterator[str]:
        """Give a folder as long as the block lasts; raises ScratchFull without that much room.

        An encoder that fails where there is none left, since others took it meanwhile, isn't to blame.
        """
        free_bytes = self._free_bytes()
        if free_bytes < size_bytes + RESERVE_BYTES:
            raise ScratchFull(detail=f"{size_bytes} bytes wanted, {free_bytes} free in {self._base}")
        hidden = Path(tempfile.mkdtemp(prefix=f".{PREFIX}", dir=self._base))
        lock = os.open(hidden / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = hidden.rename(self._base / hidden.name[1:])  # only now may others find it
        try:
            yield str(folder)
        except EncoderFailed as error:
            if self._free_bytes() < RESERVE_BYTES:
                raise ScratchFull(detail=error.detail) from error
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self._base).free


def sweep(base: Path) -> None:
    """Remove what processes left that are gone; may run in many at once."""
    for left in base.glob(f"{PREFIX}*"):
        with suppress(OSError):  # someone else's, still locked, or gone by another sweep
            lock = os.open(left / LOCK, os.O_RDWR)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(lock)
