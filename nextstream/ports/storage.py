"""Where objects lie, as S3 keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class StoredObject:
    """What the storage knows of an object; `etag` changes when its bytes do, without quotes."""

    key: str
    size_bytes: int
    etag: str
    modified_at: datetime


@dataclass(frozen=True)
class Parts:
    """What of an object in parts is durable: its first `size_bytes`.

    The caller keeps it, and alone knows which one counts. `etags` are of whole parts, numbered
    from 1; `tail_key` names an object that holds the bytes after them and never changes.
    """

    size_bytes: int = 0
    upload_id: str | None = None
    etags: tuple[str, ...] = ()
    tail_key: str | None = None


class Multipart(Protocol):
    """Writes objects in parts, over any number of requests and processes, as S3's multipart uploads.

    To write again from the same Parts gives the same object: a part's number follows from its
    place, so bytes that were sent and never noted are written over. One writer at a time.
    """

    def append(
        self, key: str, parts: Parts, part_bytes: int, blocks: Iterable[bytes]
    ) -> Iterator[Parts]:
        """Add blocks after `parts`, in bounded memory, and give what is durable as it grows.

        About every `part_bytes`, which stays the same for one object, and at the end with all.
        If `blocks` raises, the error goes on, and what was given before stays true. The tail
        before is left in place: the caller removes it when it no longer counts.
        """
        ...

    def complete(self, key: str, parts: Parts) -> StoredObject:
        """Make the parts the object; may run twice. Raises ObjectNotFound where they are gone."""
        ...

    def abort(self, key: str, parts: Parts) -> None:
        """Remove the parts and all tails, but not the object; may run twice."""
        ...


@dataclass(frozen=True)
class SentPart:
    """A part that a client sent to the storage by itself."""

    number: int
    size_bytes: int
    etag: str


@runtime_checkable
class Presigning(Protocol):
    """What a Multipart has, too, where clients can send parts to the storage themselves."""

    def begin(self, key: str) -> Parts:
        """Begin an object whose parts are sent by a client."""
        ...

    def sign(self, key: str, parts: Parts, number: int, lifetime_s: int) -> str:
        """Give a URL that a client may PUT this one part to."""
        ...

    def sent(self, key: str, parts: Parts) -> Sequence[SentPart]:
        """Give the parts that have come; raises ObjectNotFound where the object isn't being made."""
        ...


class Storage(Protocol):
    """Keeps objects by key, as S3 does; what is stored is durable and whole, or not there."""

    @property
    def multipart(self) -> Multipart: ...  # noqa: D102  named by its type

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
