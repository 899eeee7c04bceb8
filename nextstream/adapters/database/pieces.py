"""The table of pieces of work."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Update, insert, or_, select, update

from nextstream.adapters.database import tables
from nextstream.domain.plan import Piece
from nextstream.domain.video import Rendition
from nextstream.errors import ClaimLost
from nextstream.ports import Standing, Task


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

    def survey(self, video_id: str, version: int) -> Mapping[str, Standing]:
        """Tell how far each piece of an encode is, without its JSON."""
        table = self._table
        wanted = select(table.c.name, table.c.state, table.c.frames_done).where(
            table.c.video_id == video_id, table.c.version == version
        )
        return {name: Standing(*rest) for name, *rest in self._connection.execute(wanted)}

    def made(self, video_id: str, version: int, names: Iterable[str]) -> Sequence[Rendition]:
        """Give what these pieces made so far."""
        table = self._table
        wanted = (
            select(table.c.renditions)
            .where(table.c.video_id == video_id, table.c.version == version)
            .where(table.c.name.in_(list(names)))
            .order_by(table.c.place)
        )
        return [made for row in self._connection.scalars(wanted) for made in row]

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

    def beat(
        self, task: Task, frames_done: int, lease_until: datetime, made: Sequence[Rendition] = ()
    ) -> None:
        """Lengthen a claim's lease and note its progress."""
        more = {"renditions": tuple(made)} if made else {}
        self._change_claimed(task, frames_done=frames_done, lease_until=lease_until, **more)

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
