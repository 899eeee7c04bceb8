"""Where objects lie, as S3 keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class StoredObject:
    """What the storage knows of an object; `etag` changes when its bytes do, without quotes."""

    key: str
    size_bytes: int
    etag: str
    modified_at: datetime


class Storage(Protocol):
    """Keeps objects by key, as S3 does; what is stored is durable and whole, or not there."""

    def write(self, key: str, blocks: Iterable[bytes], content_type: str) -> StoredObject:
        """Store the blocks as one object, in bounded memory; replaces an older one at the end.

        If `blocks` raises, nothing is stored and the error goes on to the caller.
        """
        ...

    def put(self, key: str, body: bytes, content_type: str) -> StoredObject:
        """Store a small object; may run twice."""
        ...

    def read(self, key: str) -> bytes:
        """Give a whole small object; raises ObjectNotFound."""
        ...

    def stream(self, key: str, offset: int = 0, size_bytes: int | None = None) -> Iterator[bytes]:
        """Give a run of an object's bytes in blocks; raises ObjectNotFound before the first."""
        ...

    def head(self, key: str) -> StoredObject:
        """Look an object up; raises ObjectNotFound."""
        ...

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Give all objects whose key starts with the prefix, by key."""
        ...

    def remove(self, prefix: str) -> int:
        """Remove all objects whose key starts with the prefix and count them; may run twice."""
        ...

    def locate(self, key: str, lifetime_s: int) -> str:
        """Give a path or a signed URL that ffmpeg can read the object from by range."""
        ...
