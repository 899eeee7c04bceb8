"""The database's in-memory twin: transactions work on a copy, which replaces the truth at the end."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from nextstream.domain.accounts import Account
from nextstream.domain.events import Event
from nextstream.domain.plan import Piece
from nextstream.domain.video import Rendition, Video
from nextstream.errors import (
    AccountExists,
    ClaimLost,
    Conflict,
    DatabaseUnavailable,
    StaleVideo,
    VideoNotFound,
)
from nextstream.ports import OutboxEntry, Task, Transaction

PATIENCE_S = 10  # for the transaction before; one inside another would wait for ever

_Key = tuple[str, int, str]


@dataclass
class _Rows:
    videos: dict[str, Video] = field(default_factory=dict)
    pieces: dict[_Key, Task] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    outbox: list[OutboxEntry] = field(default_factory=list)

    def copy(self) -> _Rows:
        """Copy the tables; the rows are frozen."""
        return _Rows(dict(self.videos), dict(self.pieces), dict(self.accounts), list(self.outbox))


class MemoryDatabase:
    """Keeps everything in this process; one transaction runs at a time. `away` makes it unavailable."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self.away = False
        self._rows = _Rows()
        self._lock = threading.Lock()
        self._patience_s = patience_s

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Open a transaction on a copy, which is kept unless the block raises."""
        if self.away or not self._lock.acquire(timeout=self._patience_s):
            raise DatabaseUnavailable
        try:
            rows = self._rows.copy()
            yield MemoryTransaction(rows)
            self._rows = rows
        finally:
            self._lock.release()

    def close(self) -> None:
        """Let nothing go."""


class MemoryTransaction:
    """The four tables of one unit of work."""

    def __init__(self, rows: _Rows) -> None:
        self.videos = MemoryVideos(rows)
        self.pieces = MemoryPieces(rows)
        self.accounts = MemoryAccounts(rows.accounts)
        self.outbox = MemoryOutbox(rows.outbox)


class MemoryVideos:
    """The videos of a transaction."""

    def __init__(self, rows: _Rows) -> None:
        self._rows = rows

    def add(self, video: Video) -> None:
        """Store a new video; raises Conflict where it is there already."""
        if video.id in self._rows.videos:
            raise Conflict(detail=video.id)
        self._rows.videos[video.id] = video

    def get(self, video_id: str) -> Video:
        """Give a video."""
        try:
            return self._rows.videos[video_id]
        except KeyError:
            raise VideoNotFound from None

    def save(self, video: Video) -> Video:
        """Store a changed video under its next revision."""
        if self.get(video.id).revision != video.revision:
            raise StaleVideo
        saved = replace(video, revision=video.revision + 1)
        self._rows.videos[video.id] = saved
        return saved

    def page(self, owner_id: str | None, before: str | None, limit: int) -> Sequence[Video]:
        """Give videos, newest first; raises VideoNotFound where `before` isn't one of them."""
        videos = [v for v in self._rows.videos.values() if owner_id in (None, v.owner_id)]
        videos.sort(key=_age, reverse=True)
        if before is None:
            return videos[:limit]
        last = self.get(before)
        if last not in videos:
            raise VideoNotFound
        return [video for video in videos if _age(video) < _age(last)][:limit]

    def remove(self, video_id: str) -> None:
        """Remove a video with its pieces."""
        self._rows.videos.pop(video_id, None)
        for key in [key for key in self._rows.pieces if key[0] == video_id]:
            del self._rows.pieces[key]


def _age(video: Video) -> tuple[datetime, str]:
    return video.created_at, video.id


class MemoryPieces:
    """The pieces of a transaction."""

    def __init__(self, rows: _Rows) -> None:
        self._videos = rows.videos
        self._tasks = rows.pieces

    def add(self, video_id: str, version: int, pieces: Iterable[Piece]) -> None:
        """Store new pieces, waiting; raises Conflict for one that is there, or without its video."""
        for piece in pieces:
            key = (video_id, version, piece.name)
            if video_id not in self._videos or key in self._tasks:
                raise Conflict(detail=piece.name)
            self._tasks[key] = Task(video_id, version, piece)

    def list(self, video_id: str, version: int) -> Sequence[Task]:
        """Give all pieces of an encode."""
        return [task for key, task in self._tasks.items() if key[:2] == (video_id, version)]

    def claim(
        self, video_id: str, version: int, name: str, worker: str, now: datetime, lease_until: datetime
    ) -> Task | None:
        """Take a piece that waits or whose lease has ended."""
        task = self._tasks.get((video_id, version, name))
        if task is None or not _is_free(task, now):
            return None
        return self._save(
            replace(
                task,
                state="running",
                attempt=task.attempt + 1,
                worker=worker,
                token=secrets.token_hex(16),
                lease_until=lease_until,
                frames_done=0,
            )
        )

    def beat(self, task: Task, frames_done: int, lease_until: datetime) -> None:
        """Lengthen a claim's lease and note its progress."""
        self._save(replace(self._claimed(task), frames_done=frames_done, lease_until=lease_until))

    def finish(self, task: Task, renditions: Sequence[Rendition]) -> None:
        """Note a claimed piece as done."""
        claimed = self._claimed(task)
        self._save(
            replace(
                claimed,
                state="done",
                token=None,
                lease_until=None,
                frames_done=claimed.piece.frames,
                renditions=tuple(renditions),
                error=None,
            )
        )

    def give_back(self, task: Task, error: str, *, final: bool) -> None:
        """Note why a claimed piece failed."""
        freed = replace(self._claimed(task), token=None, lease_until=None, frames_done=0)
        self._save(replace(freed, state="failed" if final else "waiting", error=error))

    def _claimed(self, task: Task) -> Task:
        found = self._tasks.get((task.video_id, task.version, task.piece.name))
        if found is None or found.token is None or found.token != task.token:
            raise ClaimLost
        return found

    def _save(self, task: Task) -> Task:
        self._tasks[task.video_id, task.version, task.piece.name] = task
        return task


def _is_free(task: Task, now: datetime) -> bool:
    lost = task.lease_until is not None and task.lease_until < now
    return task.state == "waiting" or (task.state == "running" and lost)


class MemoryAccounts:
    """The accounts of a transaction."""

    def __init__(self, accounts: dict[str, Account]) -> None:
        self._accounts = accounts

    def add(self, account: Account) -> None:
        """Store a new account."""
        if account.id in self._accounts:
            raise AccountExists
        self._store(account)

    def get(self, account_id: str) -> Account | None:
        """Give an account by its id."""
        return self._accounts.get(account_id)

    def find(self, name: str) -> Account | None:
        """Give an account by its name, in any case."""
        return next((a for a in self._accounts.values() if a.name == name.lower()), None)

    def save(self, account: Account) -> None:
        """Store a changed account; raises AccountExists, and Conflict where it is gone."""
        if account.id not in self._accounts:
            raise Conflict(detail=f"account {account.id} is gone")
        self._store(account)

    def count(self) -> int:
        """Count the accounts."""
        return len(self._accounts)

    def _store(self, account: Account) -> None:
        same_name = self.find(account.name)
        if same_name and same_name.id != account.id:
            raise AccountExists
        self._accounts[account.id] = account


class MemoryOutbox:
    """The outbox of a transaction."""

    def __init__(self, entries: list[OutboxEntry]) -> None:
        self._entries = entries

    def add(self, *events: Event) -> None:
        """Store events to be sent; raises Conflict for one that is there already."""
        if {event.id for event in events} & {entry.event.id for entry in self._entries}:
            raise Conflict(detail="event")
        for event in events:
            self._entries.append(OutboxEntry(len(self._entries) + 1, event, sent=False))

    def unsent(self, limit: int) -> Sequence[OutboxEntry]:
        """Give the oldest unsent events."""
        return [entry for entry in self._entries if not entry.sent][:limit]

    def mark_sent(self, event_ids: Iterable[str]) -> None:
        """Note events as sent."""
        sent = set(event_ids)
        self._entries[:] = [
            replace(entry, sent=entry.sent or entry.event.id in sent) for entry in self._entries
        ]

    def page(self, after: int, limit: int, key: str | None = None) -> Sequence[OutboxEntry]:
        """Give events from a place on."""
        found = [e for e in self._entries if e.place > after and key in (None, e.event.key)]
        return found[:limit]
