"""What the services need of the world, as small protocols; adapters/ has the ways to get it.

Every adapter raises only errors of nextstream.errors. Each port has an in-memory twin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from nextstream.domain.accounts import Account
from nextstream.domain.events import Event
from nextstream.domain.plan import Piece, Plan, Voice
from nextstream.domain.video import Rendition, SourceInfo, Video
from nextstream.settings import Settings


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Give the time, with its zone (UTC)."""
        ...


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


class EventSink(Protocol):
    """Sends events to other systems."""

    def send(self, events: Sequence[Event]) -> Sequence[str]:
        """Send in order and give the ids of those known to have arrived; at least once each.

        After an event that failed, no later one of the same key counts as arrived.
        Raises EventsUnavailable where none could be sent.
        """
        ...

    def close(self) -> None:
        """Flush and let go."""
        ...


class Videos(Protocol):
    """The videos, inside a transaction."""

    def add(self, video: Video) -> None:
        """Store a new video."""
        ...

    def get(self, video_id: str) -> Video:
        """Give a video; raises VideoNotFound."""
        ...

    def save(self, video: Video) -> Video:
        """Store a changed video whose `revision` is the one read, and give it with the next.

        Raises StaleVideo where someone else saved it since, VideoNotFound where it is gone.
        """
        ...

    def page(self, owner_id: str | None, before: str | None, limit: int) -> Sequence[Video]:
        """Give videos, newest first, of one owner or all, after the video `before` in that order.

        Raises VideoNotFound where `before` is gone or another owner's.
        """
        ...

    def remove(self, video_id: str) -> None:
        """Remove a video with its pieces; may run twice."""
        ...


@dataclass(frozen=True)
class Task:
    """A piece of one encode of a video, as its row stands.

    `state` is waiting, running, done or failed; `token` fences a claim off from later ones.
    """

    video_id: str
    version: int
    piece: Piece
    state: str = "waiting"
    attempt: int = 0
    worker: str | None = None
    token: str | None = None
    lease_until: datetime | None = None
    frames_done: int = 0
    renditions: tuple[Rendition, ...] = ()
    error: str | None = None


class Pieces(Protocol):
    """The pieces of work, inside a transaction; a piece is done by one claim at a time."""

    def add(self, video_id: str, version: int, pieces: Iterable[Piece]) -> None:
        """Store new pieces, waiting."""
        ...

    def list(self, video_id: str, version: int) -> Sequence[Task]:
        """Give all pieces of an encode in the order they were added."""
        ...

    def claim(
        self, video_id: str, version: int, name: str, worker: str, now: datetime, lease_until: datetime
    ) -> Task | None:
        """Take a piece that waits, or whose lease ended before `now`, and count the attempt.

        Gives None where someone else has it, it is done or failed, or it doesn't exist.
        """
        ...

    def beat(self, task: Task, frames_done: int, lease_until: datetime) -> None:
        """Lengthen a claim's lease and note its progress; raises ClaimLost."""
        ...

    def finish(self, task: Task, renditions: Sequence[Rendition]) -> None:
        """Note a claimed piece as done, with what it made; raises ClaimLost."""
        ...

    def give_back(self, task: Task, error: str, *, final: bool) -> None:
        """Note why a claimed piece failed; it waits again, or is failed for good; raises ClaimLost."""
        ...


class Accounts(Protocol):
    """The accounts, inside a transaction."""

    def add(self, account: Account) -> None:
        """Store a new account; raises AccountExists where the name is taken."""
        ...

    def get(self, account_id: str) -> Account | None:
        """Give an account by its id."""
        ...

    def find(self, name: str) -> Account | None:
        """Give an account by its name, in any case."""
        ...

    def save(self, account: Account) -> None:
        """Store a changed account."""
        ...

    def count(self) -> int:
        """Count the accounts."""
        ...


@dataclass(frozen=True)
class OutboxEntry:
    """An event with its place in the outbox; places grow."""

    place: int
    event: Event
    sent: bool


class Outbox(Protocol):
    """Events, stored in the transaction that makes them true, and sent on afterwards."""

    def add(self, *events: Event) -> None:
        """Store events to be sent, in this order; best as the last step of a transaction.

        From then on to the commit, other transactions with events may have to wait.
        """
        ...

    def unsent(self, limit: int) -> Sequence[OutboxEntry]:
        """Give the oldest events not known to have been sent."""
        ...

    def mark_sent(self, event_ids: Iterable[str]) -> None:
        """Note events as sent; may run twice."""
        ...

    def page(self, after: int, limit: int, key: str | None = None) -> Sequence[OutboxEntry]:
        """Give events from the place after `after` on, of one key or all."""
        ...


class Transaction(Protocol):
    """One unit of work: all of it is stored, or nothing."""

    @property
    def videos(self) -> Videos: ...  # noqa: D102  named by its type

    @property
    def pieces(self) -> Pieces: ...  # noqa: D102  named by its type

    @property
    def accounts(self) -> Accounts: ...  # noqa: D102  named by its type

    @property
    def outbox(self) -> Outbox: ...  # noqa: D102  named by its type


class Database(Protocol):
    """The truth: videos, pieces, accounts and the outbox."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Open a transaction that commits at the end of the block, or rolls back on an error.

        Raises DatabaseUnavailable, after which nothing of the block is stored, unless the
        connection broke in the commit itself: then nobody can know. Raises Conflict at the
        block's end for what is there already, and BadRequest for text that can't be stored.
        """
        ...

    def close(self) -> None:
        """Let the connections go."""
        ...


class Dispatcher(Protocol):
    """Sends work to the workers; only ids travel."""

    def transcode(self, video_id: str, version: int, request_id: str | None) -> None:
        """Start the chain probe -> pieces -> publish; may run twice; raises QueueUnavailable."""
        ...

    def workers(self, enough: int | None = None) -> Sequence[str]:
        """Give the names of the workers that answer within a second, or of the first `enough`.

        Raises QueueUnavailable.
        """
        ...


@dataclass(frozen=True)
class EncodedPiece:
    """What ffmpeg made of a piece: for each rung or voice the bytes of a fragmented MP4."""

    name: str
    data: bytes


Report = Callable[[int], None]


class Encoder(Protocol):
    """Reads and encodes sources; `source` is what Storage.locate gave."""

    def probe(self, source: str, size_bytes: int) -> SourceInfo:
        """Look into a source; raises SourceNotVideo."""
        ...

    def encode(self, source: str, plan: Plan, piece: Piece, report: Report) -> Iterator[EncodedPiece]:
        """Make all rungs of a chunk in one decode; reports frames done, and stops if that raises.

        Raises EncoderFailed with ffmpeg's last lines as detail. May run twice.
        """
        ...

    def encode_audio(
        self, source: str, plan: Plan, voice: Voice, report: Report
    ) -> Iterator[EncodedPiece]:
        """Make a whole audio track; reports frames of the video's grid done. As encode."""
        ...


class Passwords(Protocol):
    """Hashes passwords and checks them."""

    def hash(self, password: str) -> str:
        """Give a salted hash."""
        ...

    def verify(self, password_hash: str | None, password: str) -> bool:
        """Check a password in the same time whether there is a hash or not."""
        ...


@dataclass(frozen=True)
class Platform:
    """Everything a service may touch; wiring.build makes it."""

    settings: Settings
    clock: Clock
    storage: Storage
    database: Database
    sink: EventSink
    dispatcher: Dispatcher
    encoder: Encoder
    passwords: Passwords
