"""The rows of work: what is to be done of each encode, and who does it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from nextstream.domain.plan import Piece
from nextstream.domain.video import Rendition


@dataclass(frozen=True)
class Task:
    """A piece of one encode of a video, as its row stands.

    `state` is waiting, running, done or failed; `token` fences a claim off from later ones.
    """

    video_id: str
    version: int
    piece: Piece
    state: str = "waiting"
    attempt: int = 0
    worker: str | None = None
    token: str | None = None
    lease_until: datetime | None = None
    frames_done: int = 0
    renditions: tuple[Rendition, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class Standing:
    """How far a piece is, without what it made."""

    state: str
    frames_done: int


class Pieces(Protocol):
    """The pieces of work, inside a transaction; a piece is done by one claim at a time."""

    def add(self, video_id: str, version: int, pieces: Iterable[Piece]) -> None:
        """Store new pieces, waiting."""
        ...

    def list(self, video_id: str, version: int) -> Sequence[Task]:
        """Give all pieces of an encode in the order they were added."""
        ...

    def survey(self, video_id: str, version: int) -> Mapping[str, Standing]:
        """Tell how far each piece of an encode is, by its name; cheap, however long the video."""
        ...

    def made(self, video_id: str, version: int, names: Iterable[str]) -> Sequence[Rendition]:
        """Give what these pieces made so far, in the order the pieces were added."""
        ...

    def claim(
        self, video_id: str, version: int, name: str, worker: str, now: datetime, lease_until: datetime
    ) -> Task | None:
        """Take a piece that waits, or whose lease ended before `now`, and count the attempt.

        Gives None where someone else has it, it is done or failed, or it doesn't exist.
        """
        ...

    def beat(
        self, task: Task, frames_done: int, lease_until: datetime, made: Sequence[Rendition] = ()
    ) -> None:
        """Lengthen a claim's lease and note its progress; raises ClaimLost.

        What is `made` so far replaces what was noted before; later claims find it there.
        """
        ...

    def finish(self, task: Task, renditions: Sequence[Rendition]) -> None:
        """Note a claimed piece as done, with what it made; raises ClaimLost."""
        ...

    def give_back(self, task: Task, error: str, *, final: bool) -> None:
        """Note why a claimed piece failed; it waits again, or is failed for good; raises ClaimLost."""
        ...
