"""The table of videos."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, literal, select, tuple_, update

from nextstream.adapters.database import tables
from nextstream.domain.video import Video
from nextstream.errors import StaleVideo, VideoNotFound
from nextstream.ports import Access, Order, Place, Wanted


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

    def lock(self, video_id: str) -> None:
        """Lock a video's row; in SQLite, which has one writer at a time, it is locked already."""
        mine = select(self._table.c.id).where(self._table.c.id == video_id)
        # As strong as an UPDATE, so that a piece's foreign key can still be checked meanwhile.
        if self._connection.execute(mine.with_for_update(key_share=True)).one_or_none() is None:
            raise VideoNotFound

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

    def access(self, video_id: str) -> Access:
        """Give who may play a video, by a query that reads little."""
        facts = select(*tables.columns(self._table, Access)).where(self._table.c.id == video_id)
        found = self._connection.execute(facts).one_or_none()
        if found is None:
            raise VideoNotFound
        return Access(*found)

    def page(self, wanted: Wanted, before: Place | None, limit: int) -> Sequence[Video]:
        """Give videos in their order."""
        key, falls = _ORDERS[wanted.order]
        place = (key, self._table.c.id)
        chosen = select(*self._columns).where(*_filters(wanted)).limit(limit)
        if before is not None:
            value = literal(before.key, key.type)
            # The database's own idea of small letters, as in the column.
            last = tuple_(func.lower(value) if wanted.order is Order.TITLE else value, before.id)
            chosen = chosen.where(tuple_(*place) < last if falls else tuple_(*place) > last)
        chosen = chosen.order_by(*(column.desc() if falls else column for column in place))
        return [Video(*row) for row in self._connection.execute(chosen)]

    def remove(self, video_id: str) -> None:
        """Remove a video; its pieces go with it."""
        self._connection.execute(delete(self._table).where(self._table.c.id == video_id))


# What each order goes by, and whether it falls; an upload that isn't over has no size yet.
_ORDERS: dict[Order, tuple[ColumnElement[Any], bool]] = {
    Order.NEWEST: (tables.videos.c.created_at, True),
    Order.OLDEST: (tables.videos.c.created_at, False),
    Order.TITLE: (func.lower(tables.videos.c.title), False),
    Order.LARGEST: (func.coalesce(tables.videos.c.size_bytes, 0), True),
}


def _filters(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    columns = tables.videos.c
    for name in ("owner_id", "state", "visibility"):
        if (value := getattr(wanted, name)) is not None:
            yield columns[name] == value
    if wanted.text:
        yield columns.title.icontains(wanted.text, autoescape=True)
