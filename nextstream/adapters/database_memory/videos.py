"""The videos in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from nextstream.adapters.database_memory.rows import Rows
from nextstream.domain.video import Video
from nextstream.errors import Conflict, StaleVideo, VideoNotFound


class MemoryVideos:
    """The videos of a transaction."""

    def __init__(self, rows: Rows) -> None:
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
