"""Objects in parts, as files that grow beside the finished ones."""

from __future__ import annotations

import errno
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from nextstream.adapters import storage_keys
from nextstream.errors import ObjectNotFound
from nextstream.ports import Parts, StoredObject

GROWING = ".growing"  # no key begins with a dot

Translated = Callable[..., AbstractContextManager[None]]
Place = Callable[[Path, Path], None]
Describe = Callable[[str], StoredObject]


class LocalMultipart:
    """A file for each object in parts, written in place and renamed when it is complete.

    There are no parts and tails to put together: what is durable is what was synced of the file.
    A fast sender's bytes are synced and noted once in `sync_every_s` seconds, not at each part.
    """

    sync_every_s = 1.0

    def __init__(self, root: Path, translated: Translated, place: Place, head: Describe) -> None:
        self._root = root
        self._translated, self._place, self._head = translated, place, head

    def append(
        self, key: str, parts: Parts, part_bytes: int, blocks: Iterable[bytes]
    ) -> Iterator[Parts]:
        """Add blocks after `parts`; while one run of them goes to the disk, the next is written."""
        storage_keys.check(key)
        if parts.upload_id is None:
            parts = replace(parts, upload_id=secrets.token_hex(16))
            self._create(self._file(parts))
            yield parts  # noted before its first byte: else nobody could remove it
        handle = self._open(key, parts)
        try:
            with ThreadPoolExecutor(1) as syncer:
                yield from self._write(handle, syncer, parts, part_bytes, blocks)
        finally:
            os.close(handle)

    def complete(self, key: str, parts: Parts) -> StoredObject:
        """Make the file the object."""
        path = self._root / storage_keys.check(key)
        file = self._file(parts)
        with self._translated():
            try:
                handle = os.open(file, os.O_RDWR)
            except FileNotFoundError:
                return self._completed(key, parts)
            try:
                os.ftruncate(handle, parts.size_bytes)  # bytes after it were never noted
                os.utime(handle)
                os.fsync(handle)
            finally:
                os.close(handle)
            self._place(file, path)
        return self._head(key)

    def abort(self, key: str, parts: Parts) -> None:  # noqa: ARG002  as the port
        """Remove the file."""
        if parts.upload_id is not None:
            with self._translated():
                self._file(parts).unlink(missing_ok=True)

    def _write(
        self,
        handle: int,
        syncer: ThreadPoolExecutor,
        parts: Parts,
        part_bytes: int,
        blocks: Iterable[bytes],
    ) -> Iterator[Parts]:
        written = begun = parts.size_bytes
        synced_at = time.monotonic()
        waiting: Future[int] | None = None
        for block in blocks:  # its errors are the caller's, not the disk's
            with self._translated():
                written += _write_all(handle, block, written)
            is_time = written - begun >= part_bytes and time.monotonic() - synced_at >= self.sync_every_s
            if is_time and (waiting is None or waiting.done()):
                if waiting:
                    yield replace(parts, size_bytes=self._result(waiting))
                begun, waiting = written, syncer.submit(_sync, handle, written)
                synced_at = time.monotonic()
        if waiting:
            yield replace(parts, size_bytes=self._result(waiting))
        if written > begun:
            with self._translated():
                yield replace(parts, size_bytes=_sync(handle, written))

    def _result(self, waiting: Future[int]) -> int:
        with self._translated():
            return waiting.result()

    def _file(self, parts: Parts) -> Path:
        return self._root / GROWING / str(parts.upload_id)

    def _create(self, file: Path) -> None:
        with self._translated():
            file.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
            folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _open(self, key: str, parts: Parts) -> int:
        with self._translated(reading=f"the parts of {key}"):
            handle = os.open(self._file(parts), os.O_WRONLY)
            if os.fstat(handle).st_size >= parts.size_bytes:
                return handle
            os.close(handle)  # another storage, or one that lost what it had synced
            raise OSError(errno.ENOENT, "the file is shorter than what was noted")

    def _completed(self, key: str, parts: Parts) -> StoredObject:
        found = self._head(key)
        if found.size_bytes != parts.size_bytes:
            raise ObjectNotFound(detail=key)
        return found


def _write_all(handle: int, block: bytes, offset: int) -> int:
    rest = memoryview(block)
    while rest:
        count = os.pwrite(handle, rest, offset)
        rest, offset = rest[count:], offset + count
    return len(block)


def _sync(handle: int, size_bytes: int) -> int:
    """Bring the first bytes of a file to the disk, and count them."""
    os.fdatasync(handle)
    return size_bytes
