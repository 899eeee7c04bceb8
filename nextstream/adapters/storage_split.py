"""Keeps what players fetch apart from all else, each in a storage of its own."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence

from nextstream.domain import paths
from nextstream.ports import Multipart, Storage, StoredObject


class SplitStorage:
    """Two storages as one; `paths.is_public` says which of them has a key."""

    def __init__(self, private: Storage, public: Storage) -> None:
        self._private, self._public = private, public

    @property
    def multipart(self) -> Multipart:
        """Give the private one's: parts are of sources alone."""
        return self._private.multipart

    def write(self, key: str, blocks: Iterable[bytes], content_type: str) -> StoredObject:
        """Store the blocks as one object."""
        return self._of(key).write(key, blocks, content_type)

    def put(self, key: str, body: bytes, content_type: str) -> StoredObject:
        """Store a small object."""
        return self._of(key).put(key, body, content_type)

    def read(self, key: str) -> bytes:
        """Give a whole small object."""
        return self._of(key).read(key)

    def stream(self, key: str, offset: int = 0, size_bytes: int | None = None) -> Iterator[bytes]:
        """Give a run of an object's bytes."""
        return self._of(key).stream(key, offset, size_bytes)

    def head(self, key: str) -> StoredObject:
        """Look an object up."""
        return self._of(key).head(key)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Give the objects of both, by key."""
        lists = [storage.list(prefix) for storage in self._under(prefix)]
        return heapq.merge(*lists, key=lambda stored: stored.key)

    def remove(self, prefix: str) -> int:
        """Remove from both."""
        return sum(storage.remove(prefix) for storage in self._under(prefix))

    def locate(self, key: str, lifetime_s: int) -> str:
        """Give where the object is."""
        return self._of(key).locate(key, lifetime_s)

    def _of(self, key: str) -> Storage:
        return self._public if paths.is_public(key) else self._private

    def _under(self, prefix: str) -> Sequence[Storage]:
        """Give the storages that may have keys under a prefix, so that each process needs few rights."""
        if paths.is_public(prefix):
            return [self._public]
        return [self._private, self._public] if paths.may_be_public(prefix) else [self._private]
