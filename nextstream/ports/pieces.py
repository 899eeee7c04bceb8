"""The rows of work: what is to be done of each encode, and who does it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from nextstream.domain.backlog import Backlog
from nextstream.domain.plan import Piece
from nextstream.domain.scheduling import Blame, Choice, Waiting
from nextstream.domain.video import Priority, Rendition
from nextstream.ports.dispatch import Message

NO_COSTS: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class Task:
    """A piece of one encode of a video, as its row stands.

    `state` is held (its turn hasn't come), waiting, sent (a message is on its way), running, done
    or failed. `token` fences a claim off from later ones. `failed_by` names the workers that tried
    it in vain, the last of them at `failed_at`; `losses` counts those that vanished with it.
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
    failed_by: tuple[str, ...] = ()
    failed_at: datetime | None = None
    losses: int = 0


@dataclass(frozen=True)
class Tally:
    """How an encode stands: its unfinished pieces, publish not counted, and the init segments so far."""

    unfinished: int
    inits: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Standing:
    """How far a piece is, without what it made."""

    state: str
    frames_done: int


class Pieces(Protocol):
    """The pieces of work, inside a transaction; a piece is done by one claim at a time."""

    def add(
        self,
        video_id: str,
        version: int,
        pieces: Iterable[Piece],
        costs_s: Mapping[str, float] = NO_COSTS,
    ) -> None:
        """Store new pieces, waiting; publish is held until all others are done.

        `costs_s` are what they cost, by name; a piece without one costs nothing.
        """
        ...

    def list(self, video_id: str, version: int) -> Sequence[Task]:
        """Give all pieces of an encode in the order they were added."""
        ...

    def tally(self, video_id: str, version: int) -> Tally:
        """Count what is left of an encode, at a cost that hardly grows with its length."""
        ...

    def survey(self, video_id: str, version: int) -> Mapping[str, Standing]:
        """Tell how far each piece of an encode is, by its name; cheap, however long the video."""
        ...

    def survey_all(
        self, encodes: Collection[tuple[str, int]]
    ) -> Mapping[tuple[str, int], Mapping[str, Standing]]:
        """Survey many encodes, videos with versions, at once; one without pieces is missing."""
        ...

    def made(self, video_id: str, version: int, names: Iterable[str]) -> Sequence[Rendition]:
        """Give what these pieces made so far, in the order the pieces were added."""
        ...

    def claim(
        self, video_id: str, version: int, name: str, worker: str, lease_until: datetime
    ) -> Task | None:
        """Take a piece that waits, with or without a message, and count the attempt.

        Gives None where someone else has it, it is held, done or failed, or it doesn't exist.
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
        """Note why a claim ended without a result; the piece waits again, or is failed for good.

        Raises ClaimLost.
        """
        ...

    def lost(self, now: datetime) -> Sequence[Task]:
        """Give the running pieces whose lease ended before `now`."""
        ...

    def in_flight(self) -> Mapping[str, int]:
        """Count the pieces each owner has sent or running."""
        ...

    def waiting(self, now: datetime, per_owner: int) -> Sequence[Waiting]:
        """Give the pieces that could be sent now, of each owner the first so many."""
        ...

    def send(self, choices: Iterable[Choice], now: datetime) -> Sequence[Message]:
        """Note pieces as sent and give their messages; those that another has sent are left out."""
        ...

    def count(self) -> Mapping[str, int]:
        """Count the pieces of each state, but those that are done or failed."""
        ...

    def count_sent(self) -> int:
        """Count the pieces whose message was sent, and that nobody claimed."""
        ...

    def unsend(self, count: int) -> int:
        """Let so many of those, the oldest, wait to be sent again, and count them."""
        ...

    def backlog(self) -> Backlog:
        """Add up what waits, with or without a message, and tell how far each claim is."""
        ...

    def free(self, video_id: str, version: int, name: str) -> None:
        """Let a held piece wait for its turn."""
        ...

    def hold(self, video_id: str, version: int) -> None:
        """Take all that waits or runs back; whoever works on it has lost its claim."""
        ...

    def renew(self, video_id: str, version: int) -> None:
        """Let all that failed or is held wait again, as if it had never been tried."""
        ...

    def prioritise(self, video_id: str, priority: Priority) -> None:
        """Let what isn't done of a video have another priority."""
        ...

    def remove(self, video_id: str, version: int) -> None:
        """Remove all pieces of an encode; may run twice."""
        ...
