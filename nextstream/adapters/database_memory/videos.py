"""The videos in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nextstream.adapters.database_memory.rows import Rows
from nextstream.domain.video import Video
from nextstream.errors import Conflict, StaleVideo, VideoNotFound
from nextstream.ports import Access, Order, Place, Wanted


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

    def lock(self, video_id: str) -> None:
        """Look for the video; transactions run one at a time."""
        self.get(video_id)

    def save(self, video: Video) -> Video:
        """Store a changed video under its next revision."""
        if self.get(video.id).revision != video.revision:
            raise StaleVideo
        saved = replace(video, revision=video.revision + 1)
        self._rows.videos[video.id] = saved
        return saved

    def access(self, video_id: str) -> Access:
        """Give who may play a video."""
        video = self.get(video_id)
        return Access(video.owner_id, video.visibility, video.ticket_epoch, video.keys)

    def page(self, wanted: Wanted, before: Place | None, limit: int) -> Sequence[Video]:
        """Give videos in their order."""
        falls = wanted.order in (Order.NEWEST, Order.LARGEST)

        def place(video: Video) -> tuple[Any, str]:
            return _comparable(wanted.order.place(video))

        videos = sorted(filter(wanted.fits, self._rows.videos.values()), key=place, reverse=falls)
        if before is None:
            return videos[:limit]
        behind = _comparable(before).__gt__ if falls else _comparable(before).__lt__
        return [video for video in videos if behind(place(video))][:limit]

    def remove(self, video_id: str) -> None:
        """Remove a video with its pieces."""
        self._rows.videos.pop(video_id, None)
        for key in [key for key in self._rows.pieces if key[0] == video_id]:
            del self._rows.pieces[key]
            del self._rows.turns[key]


def _comparable(place: Place) -> tuple[Any, str]:
    return place.key.lower() if isinstance(place.key, str) else place.key, place.id
