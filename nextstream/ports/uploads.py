"""The rows of uploads that come in parts or on their own time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from nextstream.domain.uploading import Stage
from nextstream.ports.storage import Parts

NOTHING = Parts()


@dataclass(frozen=True)
class Upload:
    """One upload; its id is its video's, but for a partial upload, which has no video.

    `length` is None until the client says it. `reserved_bytes`, or the bytes that came where they are
    more, count for the owner's quota until the end. `token` fences the one request that may write from
    others; `asked` tells it that another one waits. `metadata` and `concat` are the client's headers,
    given back as they came; `sources` the ids of the partial uploads of a final one. `sent_at` is when
    a worker was last sent for an import, or took it.
    """

    id: str
    owner_id: str
    key: str
    created_at: datetime
    expires_at: datetime
    part_bytes: int
    length: int | None = None
    stage: Stage = Stage.OPEN
    parts: Parts = NOTHING
    reserved_bytes: int = 0
    metadata: str = ""
    concat: str = ""
    sources: tuple[str, ...] = ()
    secret_hash: str | None = None
    source_url: str | None = None
    request_id: str | None = None
    token: str | None = None
    lease_until: datetime | None = None
    asked: bool = False
    sent_at: datetime | None = None

    @property
    def offset(self) -> int:
        """Give the bytes that are durable and noted."""
        return self.parts.size_bytes

    @property
    def is_partial(self) -> bool:
        """Tell a piece of a parallel upload, which becomes no video by itself."""
        return self.concat == "partial"

    @property
    def is_final(self) -> bool:
        """Tell an upload that is put together from others."""
        return self.concat.startswith("final")


@dataclass(frozen=True)
class Usage:
    """What an owner has here: stored and reserved bytes, seconds of video, uploads under way."""

    size_bytes: int
    duration_s: float
    uploads: int


class Uploads(Protocol):
    """The uploads, inside a transaction; one is written by one lease at a time."""

    def add(self, upload: Upload) -> None:
        """Store a new upload; raises Conflict for an id that is there."""
        ...

    def get(self, upload_id: str) -> Upload:
        """Give an upload; raises UploadNotFound."""
        ...

    def find_secret(self, secret_hash: str) -> Upload | None:
        """Give the upload that a direct URL leads to."""
        ...

    def usage(self, owner_id: str) -> Usage:
        """Count what an owner has; until the commit nobody else can count for the same owner."""
        ...

    def take(self, upload_id: str, now: datetime, lease_until: datetime) -> Upload | None:
        """Take the lease of an upload that is not ended; None where another has it, or it is ended."""
        ...

    def ask(self, upload_id: str) -> None:
        """Ask the holder of the lease to stop."""
        ...

    def beat(self, tokens: Collection[str], lease_until: datetime) -> dict[str, bool]:
        """Lengthen leases, and tell of each that is still held whether its holder is asked to stop."""
        ...

    def save(self, upload: Upload) -> None:
        """Store a changed upload under its lease, whose times stay; raises ClaimLost."""
        ...

    def end(self, upload: Upload, stage: Stage) -> None:
        """Store an upload's end under its lease, and drop lease and reservation; raises ClaimLost."""
        ...

    def hide(self, upload_id: str) -> None:
        """Note an upload that nobody needs any more as gone, whoever has its lease."""
        ...

    def drop(self, upload_id: str) -> None:
        """Note that nobody wants an upload, which then counts for no quota; nothing for an ended one."""
        ...

    def note_sent(self, upload_id: str, now: datetime) -> None:
        """Note that a worker was sent for an import, or took it."""
        ...

    def release(self, upload: Upload) -> None:
        """Let a lease go; nothing where it was lost."""
        ...

    def due(self, now: datetime, limit: int) -> Sequence[Upload]:
        """Give uploads without a live lease that are completing, dropped, or past their time."""
        ...

    def unfetched(self, now: datetime, before: datetime, limit: int) -> Sequence[Upload]:
        """Give open imports without a live lease for which no worker was sent since a time."""
        ...

    def forget(self, before: datetime) -> int:
        """Remove the rows of ended uploads that expired before a time, and count them."""
        ...
