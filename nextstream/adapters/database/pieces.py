"""The table of pieces of work; database/turns.py has the half that sends them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Update, case, delete, func, insert, literal, select, update

from nextstream.adapters.database import tables
from nextstream.adapters.database.turns import SqlTurns
from nextstream.domain import scheduling
from nextstream.domain.plan import PUBLISH, Piece
from nextstream.domain.scheduling import Blame
from nextstream.domain.video import Rendition
from nextstream.errors import ClaimLost
from nextstream.ports import Standing, Tally, Task
from nextstream.ports.pieces import NO_COSTS

OPEN = ("waiting", "sent")  # what can be claimed


class SqlPieces(SqlTurns):
    """The pieces of a transaction."""

    _columns = tables.columns(tables.pieces, Task)

    def add(
        self,
        video_id: str,
        version: int,
        pieces: Iterable[Piece],
        costs_s: Mapping[str, float] = NO_COSTS,
    ) -> None:
        """Store new pieces, with what their video says of their turn."""
        videos = tables.videos
        wanted = select(videos.c.owner_id, videos.c.priority).where(videos.c.id == video_id)
        owner_id, priority = self._connection.execute(wanted).one_or_none() or ("", None)
        turn = {"owner_id": owner_id, **({"priority": scheduling.order(priority)} if priority else {})}
        rows = [
            {
                **tables.row(Task(video_id, version, piece, "held" if piece == PUBLISH else "waiting")),
                **turn,
                "name": piece.name,
                "rank": scheduling.rank(piece),
                "cost_s": costs_s.get(piece.name, 0.0),
            }
            for piece in pieces
        ]
        if rows:
            self._connection.execute(insert(self._table), rows)

    def list(self, video_id: str, version: int) -> Sequence[Task]:
        """Give all pieces of an encode."""
        rows = self._connection.execute(
            select(*self._columns).where(*self._encode(video_id, version)).order_by(self._table.c.place)
        )
        return [Task(*row) for row in rows]

    def survey(self, video_id: str, version: int) -> Mapping[str, Standing]:
        """Tell how far each piece of an encode is, without its JSON."""
        table = self._table
        wanted = select(table.c.name, table.c.state, table.c.frames_done).where(
            table.c.video_id == video_id, table.c.version == version
        )
        return {name: Standing(*rest) for name, *rest in self._connection.execute(wanted)}

    def survey_all(
        self, encodes: Collection[tuple[str, int]]
    ) -> Mapping[tuple[str, int], Mapping[str, Standing]]:
        """Survey many encodes at once."""
        columns, wanted = self._table.c, set(encodes)
        rows = self._connection.execute(
            select(columns.video_id, columns.version, columns.name, columns.state, columns.frames_done)
            .where(columns.video_id.in_({video_id for video_id, _ in wanted}))
            .where(columns.version.in_({version for _, version in wanted}))
        )
        found: dict[tuple[str, int], dict[str, Standing]] = {}
        for video_id, version, name, *rest in rows:
            if (video_id, version) in wanted:  # and not a version that another of the videos has
                found.setdefault((video_id, version), {})[name] = Standing(*rest)
        return found

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

    def tally(self, video_id: str, version: int) -> Tally:
        """Count what is left, by one look over the encode's rows that reads no JSON."""
        table = self._table
        left = func.sum(case((table.c.state == "done", 0), else_=1))
        rows = self._connection.execute(
            select(left, table.c.inits)
            .where(*self._encode(video_id, version), table.c.name != PUBLISH.name)
            .group_by(table.c.inits)
        ).all()
        inits = {name: sha256 for _, text in rows for name, sha256 in json.loads(text or "{}").items()}
        return Tally(sum(count for count, _ in rows), inits)

    def claim(
        self, video_id: str, version: int, name: str, worker: str, lease_until: datetime
    ) -> Task | None:
        """Take a piece by one UPDATE, so that of many at once one gets the row."""
        table = self._table
        taken = self._connection.execute(
            self._change(video_id, version, name)
            .where(table.c.state.in_(OPEN))
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
        inits = {rendition.name: rendition.init_sha256 for rendition in renditions}
        self._change_claimed(
            task,
            state="done",
            token=None,
            lease_until=None,
            frames_done=task.piece.frames,
            renditions=tuple(renditions),
            error=None,
            inits=json.dumps(inits, sort_keys=True) if inits else None,
        )

    def give_back(
        self,
        task: Task,
        error: str,
        *,
        final: bool,
        blame: Blame = Blame.PIECE,
        now: datetime | None = None,
        not_before: datetime | None = None,
    ) -> None:
        """Note why a claim ended without a result."""
        self._change_claimed(
            task,
            state="failed" if final else "waiting",
            token=None,
            lease_until=None,
            frames_done=0,
            error=error,
            not_before=not_before,
            **_blame(task, blame, now),
        )

    def hold(self, video_id: str, version: int) -> None:
        """Take all that waits or runs back."""
        unfinished = self._table.c.state.in_((*OPEN, "running"))
        self._change_all(video_id, version, unfinished, state="held", token=None, lease_until=None)

    def renew(self, video_id: str, version: int) -> None:
        """Let all that failed or is held wait again; publish stays held."""
        stopped = self._table.c.state.in_(("failed", "held"))
        is_publish = self._table.c.name == PUBLISH.name
        self._change_all(
            video_id,
            version,
            stopped,
            state=case((is_publish, literal("held")), else_=literal("waiting")),
            attempt=0,
            error=None,
            failed_by=(),
            failed_at=None,
            losses=0,
            not_before=None,
        )

    def free(self, video_id: str, version: int, name: str) -> None:
        """Let a held piece wait for its turn."""
        held = self._change(video_id, version, name).where(self._table.c.state == "held")
        self._connection.execute(held.values(state="waiting"))

    def remove(self, video_id: str, version: int) -> None:
        """Remove all pieces of an encode."""
        self._connection.execute(delete(self._table).where(*self._encode(video_id, version)))

    def _encode(self, video_id: str, version: int) -> tuple[Any, Any]:
        return self._table.c.video_id == video_id, self._table.c.version == version

    def _change(self, video_id: str, version: int, name: str) -> Update:
        named = (*self._encode(video_id, version), self._table.c.name == name)
        return update(self._table).where(*named)

    def _change_all(self, video_id: str, version: int, which: Any, **values: Any) -> None:
        chosen = update(self._table).where(*self._encode(video_id, version), which)
        self._connection.execute(chosen.values(**values))

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


def _blame(task: Task, blame: Blame, now: datetime | None) -> dict[str, Any]:
    """Give the columns that tell whose fault it was."""
    if blame is Blame.PIECE:
        return {"failed_by": (*task.failed_by, task.worker or ""), "failed_at": now}
    return {"losses": task.losses + 1} if blame is Blame.WORKER else {"attempt": task.attempt - 1}
