"""The rows of videos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from nextstream.domain.video import State, Video, Visibility


class Order(StrEnum):
    """How a list of videos is sorted; those that are alike by their ids."""

    NEWEST = "newest"
    OLDEST = "oldest"
    TITLE = "title"
    LARGEST = "largest"

    def place(self, video: Video) -> Place:
        """Give where a video stands."""
        if self is Order.TITLE:
            return Place(video.id, video.title)
        if self is Order.LARGEST:  # an upload that isn't over has no size yet
            return Place(video.id, video.size_bytes or 0)
        return Place(video.id, video.created_at)


@dataclass(frozen=True)
class Place:
    """A place in an order: a video's id, and what it had of that which the order goes by.

    So it outlasts the video, which may change or go between two pages.
    """

    id: str
    key: datetime | str | int


@dataclass(frozen=True)
class Wanted:
    """Which videos a list holds: those that fit everything that is given; `text` is in the title."""

    owner_id: str | None = None
    state: State | None = None
    visibility: Visibility | None = None
    text: str | None = None
    order: Order = Order.NEWEST

    def fits(self, video: Video) -> bool:
        """Tell whether a video is one of them."""
        pairs = (
            (self.owner_id, video.owner_id),
            (self.state, video.state),
            (self.visibility, video.visibility),
        )
        named = (self.text or "").lower() in video.title.lower()
        return named and all(wish in (None, found) for wish, found in pairs)


@dataclass(frozen=True)
class Access:
    """What decides who may play a video, and the sealed keys of its encrypted versions."""

    owner_id: str
    visibility: Visibility
    ticket_epoch: int
    keys: dict[int, str] = field(default_factory=dict)


class Videos(Protocol):
    """The videos, inside a transaction."""

    def add(self, video: Video) -> None:
        """Store a new video."""
        ...

    def get(self, video_id: str) -> Video:
        """Give a video; raises VideoNotFound."""
        ...

    def lock(self, video_id: str) -> None:
        """Let other transactions that lock this video wait for this one's end; raises VideoNotFound.

        Whoever changes a video's pieces locks the video first: so of two that finish the last
        pieces at once one sees both, and none waits for the other in a circle.
        """
        ...

    def save(self, video: Video) -> Video:
        """Store a changed video whose `revision` is the one read, and give it with the next.

        Raises StaleVideo where someone else saved it since, VideoNotFound where it is gone.
        """
        ...

    def access(self, video_id: str) -> Access:
        """Give who may play a video, and nothing else, as it is asked often; raises VideoNotFound."""
        ...

    def page(self, wanted: Wanted, before: Place | None, limit: int) -> Sequence[Video]:
        """Give the wanted videos in their order, those behind the place `before`."""
        ...

    def remove(self, video_id: str) -> None:
        """Remove a video with its pieces; may run twice."""
        ...
