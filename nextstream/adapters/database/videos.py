"""The table of videos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, delete, insert, select, tuple_, update

from nextstream.adapters.database import tables
from nextstream.domain.video import Video
from nextstream.errors import StaleVideo, VideoNotFound


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
