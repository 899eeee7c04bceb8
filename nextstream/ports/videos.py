"""The rows of videos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nextstream.domain.video import Video


class Videos(Protocol):
    """The videos, inside a transaction."""

    def add(self, video: Video) -> None:
        """Store a new video."""
        ...

    def get(self, video_id: str) -> Video:
        """Give a video; raises VideoNotFound."""
        ...

    def save(self, video: Video) -> Video:
        """Store a changed video whose `revision` is the one read, and give it with the next.

        Raises StaleVideo where someone else saved it since, VideoNotFound where it is gone.
        """
        ...

    def page(self, owner_id: str | None, before: str | None, limit: int) -> Sequence[Video]:
        """Give videos, newest first, of one owner or all, after the video `before` in that order.

        Raises VideoNotFound where `before` is gone or another owner's.
        """
        ...

    def remove(self, video_id: str) -> None:
        """Remove a video with its pieces; may run twice."""
        ...
