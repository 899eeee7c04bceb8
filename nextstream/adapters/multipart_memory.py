"""Objects in parts, in memory; the twin of the others for tests and trials."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from nextstream.adapters import storage_keys
from nextstream.errors import ObjectNotFound
from nextstream.ports import Parts, StoredObject

if TYPE_CHECKING:
    from nextstream.adapters.storage_memory import MemoryStorage


class MemoryMultipart:
    """Keeps the bytes of each object until it is complete."""

    def __init__(self, storage: MemoryStorage) -> None:
        self._storage = storage
        self._bodies: dict[str, bytearray] = {}

    def append(
        self, key: str, parts: Parts, part_bytes: int, blocks: Iterable[bytes]
    ) -> Iterator[Parts]:
        """Add blocks after `parts`."""
        storage_keys.check(key)
        if parts.upload_id is None:
            parts = replace(parts, upload_id=secrets.token_hex(16))
            self._bodies[str(parts.upload_id)] = bytearray()
            yield parts
        body, size_bytes = self._find(key, parts), parts.size_bytes
        for block in blocks:
            body[size_bytes : size_bytes + len(block)] = block
            size_bytes += len(block)
            if size_bytes - parts.size_bytes >= part_bytes:
                parts = replace(parts, size_bytes=size_bytes)
                yield parts
        if size_bytes > parts.size_bytes:
            yield replace(parts, size_bytes=size_bytes)

    def complete(self, key: str, parts: Parts) -> StoredObject:
        """Make the parts the object."""
        if parts.upload_id in self._bodies:
            body = bytes(self._bodies.pop(parts.upload_id)[: parts.size_bytes])
            return self._storage.put(key, body, "application/octet-stream")
        found = self._storage.head(key)
        if found.size_bytes != parts.size_bytes:
            raise ObjectNotFound(detail=key)
        return found

    def abort(self, key: str, parts: Parts) -> None:  # noqa: ARG002  as the port
        """Remove the parts."""
        self._bodies.pop(parts.upload_id or "", None)

    def _find(self, key: str, parts: Parts) -> bytearray:
        try:
            return self._bodies[parts.upload_id or ""]
        except KeyError:
            raise ObjectNotFound(detail=f"the parts of {key}") from None
