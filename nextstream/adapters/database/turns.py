"""What of the pieces is sent next, and what was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, func, or_, select, update

from nextstream.adapters.database import tables
from nextstream.domain import scheduling
from nextstream.domain.backlog import LONGEST_S, Backlog, Running
from nextstream.domain.scheduling import Choice, Waiting
from nextstream.domain.video import Priority
from nextstream.ports import Message, Task


class SqlTurns:
    """The half of the pieces that sends them; the index by state carries all of it."""

    _table = tables.pieces

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lost(self, now: datetime) -> Sequence[Task]:
        """Give the running pieces whose lease has ended."""
        table = self._table
        late = (table.c.state == "running", table.c.lease_until < now)
        rows = self._connection.execute(select(*tables.columns(table, Task)).where(*late))
        return [Task(*row) for row in rows]

    def in_flight(self) -> Mapping[str, int]:
        """Count the pieces each owner has sent or running."""
        table = self._table
        counts = self._connection.execute(
            select(table.c.owner_id, func.count())
            .where(table.c.state.in_(("sent", "running")))
            .group_by(table.c.owner_id)
        )
        return {owner_id: count for owner_id, count in counts}  # noqa: C416  rows are no pairs to mypy

    def waiting(self, now: datetime, per_owner: int) -> Sequence[Waiting]:
        """Give of each owner the first pieces that could be sent."""
        table = self._table
        first = (table.c.priority, table.c.rank, table.c.place)
        turn = func.row_number().over(partition_by=table.c.owner_id, order_by=first)
        ready = (
            select(*(table.c[name] for name in Waiting.__annotations__), turn.label("turn"))
            .where(table.c.state == "waiting")
            .where(or_(table.c.not_before.is_(None), table.c.not_before <= now))
            .subquery()
        )
        rows = self._connection.execute(
            select(*(ready.c[name] for name in Waiting.__annotations__)).where(ready.c.turn <= per_owner)
        )
        return [Waiting(*row) for row in rows]

    def send(self, choices: Iterable[Choice], now: datetime) -> Sequence[Message]:
        """Note pieces as sent, each by one process, and give their messages in the order chosen."""
        table, urgencies = self._table, {choice.place: choice.urgency for choice in choices}
        if not urgencies:
            return []
        columns = (table.c.place, table.c.video_id, table.c.version, table.c.piece, table.c.attempt)
        marked = self._connection.execute(
            update(table)
            .where(table.c.place.in_(list(urgencies)), table.c.state == "waiting")
            .values(state="sent", sent_at=now)
            .returning(*columns)
        ).all()
        origins = self._origins({row.video_id for row in marked}) if marked else {}
        messages = {
            place: Message(
                video_id,
                version,
                piece.name,
                piece.kind,
                origins[video_id].request_id,
                attempt,
                urgencies[place],
                piece.rungs,
                origins[video_id].traceparent,
            )
            for place, video_id, version, piece, attempt in marked
        }
        return [messages[place] for place in urgencies if place in messages]

    def _origins(self, video_ids: set[str]) -> Mapping[str, Any]:
        """Give the rows that tell which request videos come from, by the videos' ids."""
        videos = tables.videos
        columns = (videos.c.id, videos.c.request_id, videos.c.traceparent)
        wanted = select(*columns).where(videos.c.id.in_(list(video_ids)))
        return {row.id: row for row in self._connection.execute(wanted)}

    def count(self) -> Mapping[str, int]:
        """Count the pieces of each state by the index, which those that are done don't lengthen."""
        states = self._table.c.state
        counted = select(states, func.count()).where(states.in_(scheduling.UNFINISHED)).group_by(states)
        found = {state: count for state, count in self._connection.execute(counted)}  # noqa: C416  as above
        return {state: found.get(state, 0) for state in scheduling.UNFINISHED}

    def count_sent(self) -> int:
        """Count the pieces whose message was sent."""
        counted = select(func.count()).select_from(self._table).where(self._table.c.state == "sent")
        return self._connection.execute(counted).scalar_one()

    def unsend(self, count: int) -> int:
        """Let the oldest of those wait to be sent again."""
        table = self._table
        sent = select(table.c.place).where(table.c.state == "sent").order_by(table.c.sent_at)
        again = update(table).where(table.c.place.in_(sent.limit(count)), table.c.state == "sent")
        return self._connection.execute(again.values(state="waiting", sent_at=None)).rowcount

    def backlog(self) -> Backlog:
        """Add up what waits, and tell how far each claim is."""
        table = self._table
        cost = case((table.c.cost_s > LONGEST_S, LONGEST_S), else_=table.c.cost_s)  # backlog.counted
        waits = select(func.count(), func.sum(cost)).where(table.c.state.in_(("waiting", "sent")))
        count, cost_s = self._connection.execute(waits).one()
        columns = (table.c.token, table.c.cost_s, table.c.frames_done, table.c.piece)
        claims = self._connection.execute(select(*columns).where(table.c.state == "running"))
        running = {
            token: Running(cost, frames_done / max(1, piece.frames))
            for token, cost, frames_done, piece in claims
        }
        return Backlog(count, cost_s or 0.0, running)

    def prioritise(self, video_id: str, priority: Priority) -> None:
        """Let what isn't done have another priority."""
        table = self._table
        mine = update(table).where(table.c.video_id == video_id, table.c.state != "done")
        self._connection.execute(mine.values(priority=scheduling.order(priority)))
