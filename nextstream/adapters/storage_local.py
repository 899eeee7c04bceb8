"""Keeps objects as files of a folder."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Self
from urllib.parse import unquote, urlsplit

from nextstream.adapters import storage_keys
from nextstream.adapters.multipart_local import LocalMultipart
from nextstream.errors import Misconfigured, ObjectNotFound, StorageError, StorageUnavailable
from nextstream.ports import StoredObject

BLOCK_BYTES = 256 * 1024
INCOMING = ".incoming"  # no key begins with a dot
ABANDONED_S = 60  # a writer has long locked its file by then

_NOWHERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class LocalStorage:
    """A folder of files named by their keys.

    An object is written to a file of its own in `.incoming`, synced and renamed: it is there
    whole or not at all, whenever the machine stops.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._home = root.absolute()
        self._incoming = root / INCOMING
        self.multipart = LocalMultipart(root, self._translated, _place, self.head)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Open `file:///folder`, which need not exist yet, and clear away what dead writers left."""
        parts = urlsplit(url)
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
            raise Misconfigured("NEXTSTREAM_STORAGE_URL must name a whole path, as in file:///folder.")
        storage = cls(Path(unquote(parts.path)))
        storage._sweep()
        return storage

    def write(self, key: str, blocks: Iterable[bytes], content_type: str) -> StoredObject:  # noqa: ARG002  files have none
        """Store the blocks as one object."""
        path = self._path(key)
        with self._new_file() as file:
            for block in blocks:  # its errors are the caller's, not the disk's
                with self._translated():
                    file.write(block)
            with self._translated():
                _sync(file)
                _place(Path(file.name), path)
                return _describe(key, os.fstat(file.fileno()))

    def put(self, key: str, body: bytes, content_type: str) -> StoredObject:
        """Store a small object."""
        return self.write(key, [body], content_type)

    def read(self, key: str) -> bytes:
        """Give a whole small object."""
        path = self._path(key)
        with self._translated(reading=key):
            return path.read_bytes()

    def stream(self, key: str, offset: int = 0, size_bytes: int | None = None) -> Iterator[bytes]:
        """Give a run of an object's bytes in blocks; a missing one is told at once."""
        blocks = self._blocks(key, offset, size_bytes)
        next(blocks)
        return blocks

    def head(self, key: str) -> StoredObject:
        """Look an object up."""
        with self._translated(reading=key):
            found = os.stat(self.locate(key, 0))  # noqa: PTH116  as below
            if stat.S_ISDIR(found.st_mode):
                raise IsADirectoryError(errno.EISDIR, "a folder of objects")
            return _describe(key, found)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Give all objects under a prefix, by key."""
        folder = prefix.rpartition("/")[0]
        if folder and not storage_keys.is_valid(folder):
            return iter(())
        return self._walk(folder, prefix)

    def remove(self, prefix: str) -> int:
        """Remove all objects under a prefix, and the folders this leaves empty."""
        paths = [self._root / found.key for found in self.list(prefix)]
        with self._translated():
            for path in paths:
                path.unlink(missing_ok=True)
        for folder in {path.parent for path in paths}:
            self._prune(folder)
        return len(paths)

    def locate(self, key: str, lifetime_s: int) -> str:  # noqa: ARG002  a path doesn't expire
        """Give the file's absolute path."""
        return f"{self._home}/{storage_keys.check(key)}"  # each segment asks, and a Path is slow

    def adopt(self, key: str, path: Path) -> None:
        """Give a file elsewhere a key, by a symbolic link; removing the object leaves the file."""
        place = self._path(key)
        with self._translated():
            _make_folder(place.parent)
            place.symlink_to(path)

    def _path(self, key: str) -> Path:
        return self._root / storage_keys.check(key)

    @contextmanager
    def _new_file(self) -> Iterator[BinaryIO]:
        """Open a file in `.incoming`; if it isn't renamed by the end of the block, it goes."""
        with self._translated():
            _make_folder(self._incoming)
            file = (self._incoming / uuid.uuid4().hex).open("xb")
        try:
            with suppress(OSError):  # without locks nothing is swept
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield file
        finally:
            with suppress(OSError):  # what is still in its buffer doesn't fit on a full disk
                file.close()
            Path(file.name).unlink(missing_ok=True)

    def _blocks(self, key: str, offset: int, size_bytes: int | None) -> Iterator[bytes]:
        """Give a first empty block as soon as the file is open, then the bytes."""
        with self._translated(reading=key):
            file = self._path(key).open("rb")
        with file:
            yield b""
            file.seek(offset)
            left = os.fstat(file.fileno()).st_size if size_bytes is None else size_bytes
            while block := self._read(file, min(left, BLOCK_BYTES)):
                left -= len(block)
                yield block

    def _read(self, file: BinaryIO, size_bytes: int) -> bytes:
        with self._translated():
            return file.read(size_bytes)

    def _walk(self, folder: str, prefix: str) -> Iterator[StoredObject]:
        """Give the objects below a folder by key; one that goes meanwhile is left out."""
        for entry in self._entries(folder):
            key = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir() and f"{key}/".startswith(prefix):
                yield from self._walk(key, prefix)
            elif entry.is_file() and key.startswith(prefix):
                try:
                    found = _describe(key, entry.stat())
                except FileNotFoundError:
                    continue
                yield found

    def _entries(self, folder: str) -> Iterable[os.DirEntry[str]]:
        try:
            with self._translated(reading=folder), os.scandir(self._root / folder) as entries:
                named = [entry for entry in entries if not entry.name.startswith(".")]
        except ObjectNotFound:
            return ()
        # Keys are ordered as whole strings, where a folder's name goes on with a slash.
        return sorted(named, key=lambda entry: entry.name + "/" * entry.is_dir())

    def _prune(self, folder: Path) -> None:
        """Remove a folder and those above it as far as they are empty."""
        with suppress(OSError):
            while folder != self._root:
                folder.rmdir()
                folder = folder.parent

    def _sweep(self) -> None:
        """Remove unfinished files whose writers died."""
        for path in self._incoming.glob("*"):
            with suppress(OSError):  # its writer lives and holds the lock, or has just finished
                if time.time() - path.stat().st_mtime > ABANDONED_S:
                    with path.open("rb") as file:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        path.unlink()

    @contextmanager
    def _translated(self, reading: str | None = None) -> Iterator[None]:
        """Turn the system's errors into ours; `reading` names the object that must be there."""
        try:
            yield
        except OSError as error:
            if reading is not None and error.errno in _NOWHERE:
                raise ObjectNotFound(detail=reading) from error
            # A full disk passes as a server does that is away: work waits for room and isn't lost.
            kind = StorageUnavailable if error.errno in _FULL else StorageError
            raise kind(self._advise(error.errno), detail=str(error)) from error

    def _advise(self, number: int | None) -> str:
        if number in _FORBIDDEN:
            return (
                f"NextStream may not use the storage folder {self._root}; "
                "let the user it runs as read and write there."
            )
        if number in _FULL:
            return f"The disk of the storage folder {self._root} is full; make room there and try again."
        return f"The storage folder {self._root} can't be used."


def _describe(key: str, found: os.stat_result) -> StoredObject:
    """Describe a file without reading it.

    The etag: no write reuses a file, so what replaces an object has another inode, or one that
    was free again, and then a later time, which is kept in nanoseconds.
    """
    return StoredObject(
        key=key,
        size_bytes=found.st_size,
        etag=f"{found.st_mtime_ns:x}-{found.st_size:x}-{found.st_ino:x}",
        modified_at=datetime.fromtimestamp(found.st_mtime, UTC),
    )


def _sync(file: BinaryIO) -> None:
    """Bring a written file to the disk, stamped with the time."""
    file.flush()
    now_ns = time.time_ns()  # the kernel's own stamp moves in steps of milliseconds
    os.utime(file.fileno(), ns=(now_ns, now_ns))
    os.fsync(file.fileno())


def _place(file: Path, path: Path) -> None:
    """Rename a file to its place for good, over an older one."""
    for tries_left in (4, 3, 2, 1, 0):
        try:
            _make_folder(path.parent)
            file.replace(path)
            return _sync_folder(path.parent)
        except FileNotFoundError:  # a remove took the folder, empty as it was, in between
            if not tries_left or not file.exists():
                raise
    return None


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, for good."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """Bring a folder's list of names to the disk: a file's own sync doesn't."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
