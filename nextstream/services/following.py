"""Following one video: how it stands, and what happened since the last look."""

from __future__ import annotations

from dataclasses import dataclass

from nextstream.domain import lifecycle
from nextstream.domain.accounts import Account
from nextstream.domain.events import FOLLOWED, Event
from nextstream.domain.video import Video
from nextstream.ports import Platform
from nextstream.services import library

AT_ONCE = 500


@dataclass(frozen=True)
class Sight:
    """A video at a moment; `place` is where the next look should begin to read the events."""

    video: Video
    events: tuple[tuple[int, Event], ...]
    place: int

    @property
    def is_last(self) -> bool:
        """Tell that nothing more will come by itself."""
        return self.video.state in lifecycle.ENDED and not self.events


def look(platform: Platform, account: Account, video_id: str, after: int | None) -> Sight:
    """Look at a video and at its events behind the place `after`; None is for those to come alone.

    Raises VideoNotFound.
    """
    video = library.get(platform, account, video_id)
    with platform.database.reading() as tx:
        place = tx.outbox.last(video_id) if after is None else after
        entries = () if after is None else tx.outbox.page(after, AT_ONCE, video_id)
    told = tuple((each.place, each.event) for each in entries if each.event.type.startswith(FOLLOWED))
    end = entries[-1].place if entries else place
    return Sight(video, told, end)
