"""Keeps objects in memory; the twin of the storages for tests and trials."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from threading import Lock

from nextstream.adapters import storage_keys
from nextstream.adapters.multipart_memory import MemoryMultipart
from nextstream.errors import ObjectNotFound
from nextstream.ports import StoredObject

BLOCK_BYTES = 256 * 1024


class MemoryStorage:
    """A dictionary of objects; `locate` gives `memory:KEY`."""

    def __init__(self) -> None:
        self._objects: dict[str, tuple[StoredObject, bytes]] = {}
        self.multipart = MemoryMultipart(self)
        self._lock = Lock()  # a listing must not see the dictionary change

    def write(self, key: str, blocks: Iterable[bytes], content_type: str) -> StoredObject:
        """Store the blocks as one object."""
        storage_keys.check(key)
        return self.put(key, b"".join(blocks), content_type)

    def put(self, key: str, body: bytes, content_type: str) -> StoredObject:  # noqa: ARG002  as the port
        """Store a small object."""
        etag = hashlib.sha256(body).hexdigest()
        stored = StoredObject(storage_keys.check(key), len(body), etag, datetime.now(UTC))
        with self._lock:
            self._objects[key] = (stored, bytes(body))
        return stored

    def read(self, key: str) -> bytes:
        """Give a whole object."""
        return self._find(key)[1]

    def stream(self, key: str, offset: int = 0, size_bytes: int | None = None) -> Iterator[bytes]:
        """Give a run of an object's bytes in blocks."""
        body = self._find(key)[1]
        end = len(body) if size_bytes is None else min(len(body), offset + size_bytes)
        return (body[at : min(end, at + BLOCK_BYTES)] for at in range(offset, end, BLOCK_BYTES))

    def head(self, key: str) -> StoredObject:
        """Look an object up."""
        return self._find(key)[0]

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Give all objects under a prefix, by key, as they are now."""
        with self._lock:
            found = sorted(key for key in self._objects if key.startswith(prefix))
            return iter([self._objects[key][0] for key in found])

    def remove(self, prefix: str) -> int:
        """Remove all objects under a prefix."""
        with self._lock:
            found = [key for key in self._objects if key.startswith(prefix)]
            for key in found:
                del self._objects[key]
        return len(found)

    def locate(self, key: str, lifetime_s: int) -> str:  # noqa: ARG002  nothing here expires
        """Give a name that MemoryEncoder and tests can tell the key from."""
        return f"memory:{storage_keys.check(key)}"

    def _find(self, key: str) -> tuple[StoredObject, bytes]:
        try:
            return self._objects[key]
        except KeyError:
            raise ObjectNotFound(detail=key) from None
