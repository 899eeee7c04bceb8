"""Keeps the truth in SQLite or PostgreSQL, by SQLAlchemy's Core."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Update,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError

from nextstream.adapters import database_tables as tables
from nextstream.adapters.database_engine import PATIENCE_S, open_engine, our_errors
from nextstream.domain.accounts import Account
from nextstream.domain.events import Event
from nextstream.domain.plan import Piece
from nextstream.domain.video import Rendition, Video
from nextstream.errors import AccountExists, ClaimLost, Conflict, StaleVideo, VideoNotFound
from nextstream.ports import OutboxEntry, Task, Transaction

OUTBOX_LOCK = 0x6E657874  # any number that no other lock of the database has


class SqlDatabase:
    """A database by its URL; build it after forking, for connections don't survive one."""

    def __init__(self, url: str, patience_s: float = PATIENCE_S) -> None:
        self._engine = open_engine(url, patience_s=patience_s)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Open a transaction; where the connection breaks in the commit itself, either may be true.

        Raises DatabaseUnavailable, Conflict for a row that is there already, and BadRequest for
        text that can't be stored.
        """
        with our_errors(), self._engine.begin() as connection:
            yield SqlTransaction(connection)

    def close(self) -> None:
        """Let the connections go."""
        self._engine.dispose()


class SqlTransaction:
    """The four tables by one connection."""

    def __init__(self, connection: Connection) -> None:
        self.videos = SqlVideos(connection)
        self.pieces = SqlPieces(connection)
        self.accounts = SqlAccounts(connection)
        self.outbox = SqlOutbox(connection)


class SqlVideos:
    """The videos of a transaction."""

    _table = tables.videos
    _columns = tables.columns(_table, Video)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, video: Video) -> None:
        """Store a new video."""
        self._connection.execute(insert(self._table), tables.row(video))

    def get(self, video_id: str) -> Video:
        """Give a video."""
        found = self._connection.execute(
            select(*self._columns).where(self._table.c.id == video_id)
        ).one_or_none()
        if found is None:
            raise VideoNotFound
        return Video(*found)

    def save(self, video: Video) -> Video:
        """Store a changed video under its next revision."""
        saved = replace(video, revision=video.revision + 1)
        read = (self._table.c.id == video.id, self._table.c.revision == video.revision)
        if not self._connection.execute(
            update(self._table).where(*read).values(tables.row(saved))
        ).rowcount:
            self.get(video.id)
            raise StaleVideo
        return saved

    def page(self, owner_id: str | None, before: str | None, limit: int) -> Sequence[Video]:
        """Give videos, newest first; raises VideoNotFound where `before` isn't one of them."""
        age = (self._table.c.created_at, self._table.c.id)
        wanted = select(*self._columns).order_by(*(column.desc() for column in age)).limit(limit)
        if owner_id is not None:
            wanted = wanted.where(self._table.c.owner_id == owner_id)
        if before is not None:
            last = self.get(before)
            if owner_id not in (None, last.owner_id):
                raise VideoNotFound
            wanted = wanted.where(tuple_(*age) < (last.created_at, last.id))
        return [Video(*row) for row in self._connection.execute(wanted)]

    def remove(self, video_id: str) -> None:
        """Remove a video; its pieces go with it."""
        self._connection.execute(delete(self._table).where(self._table.c.id == video_id))


class SqlPieces:
    """The pieces of a transaction."""

    _table = tables.pieces
    _columns = tables.columns(_table, Task)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, video_id: str, version: int, pieces: Iterable[Piece]) -> None:
        """Store new pieces, waiting."""
        rows = [{"name": piece.name, **tables.row(Task(video_id, version, piece))} for piece in pieces]
        if rows:
            self._connection.execute(insert(self._table), rows)

    def list(self, video_id: str, version: int) -> Sequence[Task]:
        """Give all pieces of an encode."""
        encode = (self._table.c.video_id == video_id, self._table.c.version == version)
        rows = self._connection.execute(
            select(*self._columns).where(*encode).order_by(self._table.c.place)
        )
        return [Task(*row) for row in rows]

    def claim(
        self, video_id: str, version: int, name: str, worker: str, now: datetime, lease_until: datetime
    ) -> Task | None:
        """Take a piece by one UPDATE, so that of many at once one gets the row."""
        table = self._table
        lost = (table.c.state == "running") & (table.c.lease_until < now)
        taken = self._connection.execute(
            self._change(video_id, version, name)
            .where(or_(table.c.state == "waiting", lost))
            .values(
                state="running",
                attempt=table.c.attempt + 1,
                worker=worker,
                token=secrets.token_hex(16),
                lease_until=lease_until,
                frames_done=0,
            )
            .returning(*self._columns)
        ).one_or_none()
        return None if taken is None else Task(*taken)

    def beat(self, task: Task, frames_done: int, lease_until: datetime) -> None:
        """Lengthen a claim's lease and note its progress."""
        self._change_claimed(task, frames_done=frames_done, lease_until=lease_until)

    def finish(self, task: Task, renditions: Sequence[Rendition]) -> None:
        """Note a claimed piece as done."""
        self._change_claimed(
            task,
            state="done",
            token=None,
            lease_until=None,
            frames_done=task.piece.frames,
            renditions=tuple(renditions),
            error=None,
        )

    def give_back(self, task: Task, error: str, *, final: bool) -> None:
        """Note why a claimed piece failed."""
        state = "failed" if final else "waiting"
        self._change_claimed(task, state=state, token=None, lease_until=None, frames_done=0, error=error)

    def _change(self, video_id: str, version: int, name: str) -> Update:
        table = self._table
        return update(table).where(
            table.c.video_id == video_id, table.c.version == version, table.c.name == name
        )

    def _change_claimed(self, task: Task, **values: Any) -> None:
        if task.token is None:
            raise ClaimLost
        changed = self._connection.execute(
            self._change(task.video_id, task.version, task.piece.name)
            .where(self._table.c.token == task.token)
            .values(**values)
        )
        if not changed.rowcount:
            raise ClaimLost


class SqlAccounts:
    """The accounts of a transaction."""

    _table = tables.accounts
    _columns = tables.columns(_table, Account)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, account: Account) -> None:
        """Store a new account."""
        with self._named_once():
            self._connection.execute(insert(self._table), tables.row(account))

    def get(self, account_id: str) -> Account | None:
        """Give an account by its id."""
        return self._one(self._table.c.id == account_id)

    def find(self, name: str) -> Account | None:
        """Give an account by its name, in any case."""
        return self._one(self._table.c.name == name.lower())

    def save(self, account: Account) -> None:
        """Store a changed account; raises AccountExists, and Conflict where it is gone."""
        with self._named_once():
            saved = self._connection.execute(
                update(self._table).where(self._table.c.id == account.id).values(tables.row(account))
            )
        if not saved.rowcount:
            raise Conflict(detail=f"account {account.id} is gone")

    def count(self) -> int:
        """Count the accounts."""
        return self._connection.execute(select(func.count()).select_from(self._table)).scalar_one()

    def _one(self, condition: ColumnElement[bool]) -> Account | None:
        found = self._connection.execute(select(*self._columns).where(condition)).one_or_none()
        return None if found is None else Account(*found)

    @contextmanager
    def _named_once(self) -> Iterator[None]:
        """Raise AccountExists for a name or id that is taken, and leave the transaction usable."""
        try:
            with self._connection.begin_nested():
                yield
        except IntegrityError as error:
            raise AccountExists from error


class SqlOutbox:
    """The outbox of a transaction."""

    _table = tables.outbox
    _columns = (_table.c.place, _table.c.sent, *tables.columns(_table, Event))

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, *events: Event) -> None:
        """Store events to be sent; the last step of a transaction, for others may wait for it."""
        if not events:
            return
        if self._connection.dialect.name == "postgresql":
            # Places are given when a row is written and seen when it is committed. One writer
            # at a time keeps both in one order, so nothing appears behind a reader's place.
            self._connection.execute(select(func.pg_advisory_xact_lock(OUTBOX_LOCK)))
        self._connection.execute(
            insert(self._table), [{**tables.row(event), "sent": False} for event in events]
        )

    def unsent(self, limit: int) -> Sequence[OutboxEntry]:
        """Give the oldest unsent events."""
        return self._entries(limit, tables.UNSENT)

    def mark_sent(self, event_ids: Iterable[str]) -> None:
        """Note events as sent."""
        known = self._table.c.id.in_(list(event_ids))
        self._connection.execute(update(self._table).where(known).values(sent=True))

    def page(self, after: int, limit: int, key: str | None = None) -> Sequence[OutboxEntry]:
        """Give events from a place on."""
        wanted = [self._table.c.place > after]
        if key is not None:
            wanted.append(self._table.c.key == key)
        return self._entries(limit, *wanted)

    def _entries(self, limit: int, *wanted: ColumnElement[bool]) -> Sequence[OutboxEntry]:
        chosen = select(*self._columns).where(*wanted).order_by(self._table.c.place).limit(limit)
        return [_entry(row) for row in self._connection.execute(chosen)]


def _entry(row: Sequence[Any]) -> OutboxEntry:
    place, sent, *event = row
    return OutboxEntry(place, Event(*event), sent)
