"""The table of uploads."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime
from fractions import Fraction

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Connection,
    case,
    cast,
    delete,
    func,
    insert,
    or_,
    select,
    type_coerce,
    update,
)

from nextstream.adapters.database import tables
from nextstream.domain.uploading import ENDED, UNWANTED, WAITING, Stage
from nextstream.domain.video import State
from nextstream.errors import ClaimLost, UploadNotFound
from nextstream.ports import Upload, Usage

FREE = {"token": None, "lease_until": None, "asked": False}  # what `save` leaves to the heartbeat  # nosec B105
NO_ROOM = (State.FAILED, State.CANCELLED)  # such videos have nothing stored


class SqlUploads:
    """The uploads of a transaction."""

    _table = tables.uploads
    _columns = tables.columns(_table, Upload)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, upload: Upload) -> None:
        """Store a new upload."""
        self._connection.execute(insert(self._table), tables.row(upload))

    def get(self, upload_id: str) -> Upload:
        """Give an upload."""
        found = self._one(self._table.c.id == upload_id)
        if found is None:
            raise UploadNotFound
        return found

    def find_secret(self, secret_hash: str) -> Upload | None:
        """Give the upload of a direct URL."""
        return self._one(self._table.c.secret_hash == secret_hash)

    def usage(self, owner_id: str) -> Usage:
        """Count what an owner has."""
        if self._connection.dialect.name == "postgresql":  # SQLite's transactions take turns anyway
            lock = func.pg_advisory_xact_lock(func.hashtextextended(f"usage {owner_id}", 0))
            self._connection.execute(select(lock))
        table, videos = self._table, tables.videos
        open_ones = (table.c.owner_id == owner_id, table.c.stage.not_in(UNWANTED))
        come = cast(type_coerce(table.c.parts, JSON)["size_bytes"].as_string(), BigInteger)
        taken = case((come > table.c.reserved_bytes, come), else_=table.c.reserved_bytes)
        reserved, uploads = self._connection.execute(
            select(func.coalesce(func.sum(taken), 0), func.count()).where(*open_ones)
        ).one()
        kept = (videos.c.owner_id == owner_id, videos.c.state.not_in(NO_ROOM))
        stored = self._connection.execute(
            select(func.coalesce(func.sum(videos.c.size_bytes), 0)).where(*kept)
        ).scalar_one()
        duration = type_coerce(videos.c.source, JSON)["duration_s"].as_string()
        durations = self._connection.execute(
            select(duration).where(*kept, videos.c.source.is_not(None))
        ).scalars()
        seconds = sum(float(Fraction(text)) for text in durations if text)
        return Usage(int(stored) + int(reserved), seconds, uploads)

    def take(self, upload_id: str, now: datetime, lease_until: datetime) -> Upload | None:
        """Take the lease by one UPDATE, so that of many at once one gets it."""
        table = self._table
        taken = self._connection.execute(
            update(table)
            .where(table.c.id == upload_id, table.c.stage.not_in(ENDED), self._free(now))
            .values(token=secrets.token_hex(16), lease_until=lease_until, asked=False)
            .returning(*self._columns)
        ).one_or_none()
        return None if taken is None else Upload(*taken)

    def ask(self, upload_id: str) -> None:
        """Ask the holder of the lease to stop."""
        self._connection.execute(
            update(self._table).where(self._table.c.id == upload_id).values(asked=True)
        )

    def beat(self, tokens: Collection[str], lease_until: datetime) -> dict[str, bool]:
        """Lengthen leases, and tell whose holder is asked to stop."""
        table = self._table
        kept = self._connection.execute(
            update(table)
            .where(table.c.token.in_(list(tokens)))
            .values(lease_until=lease_until)
            .returning(table.c.token, table.c.asked)
        )
        return {token: bool(asked) for token, asked in kept}

    def save(self, upload: Upload) -> None:
        """Store a changed upload under its lease."""
        values = {name: value for name, value in tables.row(upload).items() if name not in FREE}
        saved = self._connection.execute(update(self._table).where(*self._held(upload)).values(values))
        if not saved.rowcount:
            raise ClaimLost

    def end(self, upload: Upload, stage: Stage) -> None:
        """Store an upload's end under its lease."""
        ended = update(self._table).where(*self._held(upload))
        if not self._connection.execute(ended.values(stage=stage, reserved_bytes=0, **FREE)).rowcount:
            raise ClaimLost

    def hide(self, upload_id: str) -> None:
        """Note an upload as gone."""
        gone = update(self._table).where(self._table.c.id == upload_id)
        self._connection.execute(gone.values(stage=Stage.GONE, reserved_bytes=0))

    def drop(self, upload_id: str) -> None:
        """Note that nobody wants an upload."""
        table = self._table
        dropped = update(table).where(table.c.id == upload_id, table.c.stage.not_in(ENDED))
        self._connection.execute(dropped.values(stage=Stage.DROPPED, reserved_bytes=0, asked=True))

    def note_sent(self, upload_id: str, now: datetime) -> None:
        """Note that a worker was sent for an import."""
        sent = update(self._table).where(self._table.c.id == upload_id)
        self._connection.execute(sent.values(sent_at=now))

    def release(self, upload: Upload) -> None:
        """Let a lease go."""
        self._connection.execute(update(self._table).where(*self._held(upload)).values(FREE))

    def due(self, now: datetime, limit: int) -> Sequence[Upload]:
        """Give uploads that are completing, dropped, or past their time."""
        table = self._table
        late = table.c.stage.in_(WAITING) & (table.c.expires_at < now)
        now_due = table.c.stage.in_((Stage.COMPLETING, Stage.DROPPED))
        return self._some(or_(now_due, late), self._free(now), limit=limit)

    def unfetched(self, now: datetime, before: datetime, limit: int) -> Sequence[Upload]:
        """Give open imports that wait for a worker."""
        table = self._table
        waits = (table.c.stage == Stage.OPEN, table.c.source_url.is_not(None))
        unsent = func.coalesce(table.c.sent_at, table.c.created_at) < before
        return self._some(*waits, unsent, self._free(now), limit=limit)

    def forget(self, before: datetime) -> int:
        """Remove the rows of uploads that ended long ago."""
        old = (self._table.c.stage.in_(ENDED), self._table.c.expires_at < before)
        return self._connection.execute(delete(self._table).where(*old)).rowcount

    def _free(self, now: datetime) -> ColumnElement[bool]:
        return or_(self._table.c.token.is_(None), self._table.c.lease_until < now)

    def _some(self, *conditions: ColumnElement[bool], limit: int) -> Sequence[Upload]:
        chosen = select(*self._columns).where(*conditions).limit(limit)
        return [Upload(*row) for row in self._connection.execute(chosen)]

    def _held(self, upload: Upload) -> tuple[ColumnElement[bool], ...]:
        return self._table.c.id == upload.id, self._table.c.token == (upload.token or "")

    def _one(self, *conditions: ColumnElement[bool]) -> Upload | None:
        found = self._connection.execute(select(*self._columns).where(*conditions)).one_or_none()
        return None if found is None else Upload(*found)
