"""The pieces of work in memory; database_memory/turns.py has the half that sends them."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from nextstream.adapters.database_memory.rows import Turn
from nextstream.adapters.database_memory.turns import MemoryTurns
from nextstream.domain import scheduling
from nextstream.domain.plan import PUBLISH, Piece
from nextstream.domain.scheduling import Blame
from nextstream.domain.video import Rendition
from nextstream.errors import ClaimLost, Conflict
from nextstream.ports import Standing, Tally, Task
from nextstream.ports.pieces import NO_COSTS


class MemoryPieces(MemoryTurns):
    """The pieces of a transaction."""

    def add(
        self,
        video_id: str,
        version: int,
        pieces: Iterable[Piece],
        costs_s: Mapping[str, float] = NO_COSTS,
    ) -> None:
        """Store new pieces; raises Conflict for one that is there, or without its video."""
        for piece in pieces:
            key = (video_id, version, piece.name)
            if video_id not in self._videos or key in self._tasks:
                raise Conflict(detail=piece.name)
            video, place = (
                self._videos[video_id],
                1 + max((t.place for t in self._turns.values()), default=0),
            )
            state = "held" if piece == PUBLISH else "waiting"
            self._tasks[key] = Task(video_id, version, piece, state)
            self._turns[key] = Turn(
                place,
                video.owner_id,
                scheduling.order(video.priority),
                scheduling.rank(piece),
                costs_s.get(piece.name, 0.0),
            )

    def list(self, video_id: str, version: int) -> Sequence[Task]:
        """Give all pieces of an encode."""
        return [task for key, task in self._tasks.items() if key[:2] == (video_id, version)]

    def survey(self, video_id: str, version: int) -> Mapping[str, Standing]:
        """Tell how far each piece of an encode is."""
        tasks = self.list(video_id, version)
        return {task.piece.name: Standing(task.state, task.frames_done) for task in tasks}

    def survey_all(
        self, encodes: Collection[tuple[str, int]]
    ) -> Mapping[tuple[str, int], Mapping[str, Standing]]:
        """Survey many encodes at once."""
        return {each: found for each in encodes if (found := self.survey(*each))}

    def made(self, video_id: str, version: int, names: Iterable[str]) -> Sequence[Rendition]:
        """Give what these pieces made so far."""
        wanted = set(names)
        tasks = [task for task in self.list(video_id, version) if task.piece.name in wanted]
        return [made for task in tasks for made in task.renditions]

    def tally(self, video_id: str, version: int) -> Tally:
        """Count what is left of an encode."""
        work = [task for task in self.list(video_id, version) if task.piece != PUBLISH]
        parts = [part for task in work if task.state == "done" for part in task.renditions]
        left = sum(task.state != "done" for task in work)
        return Tally(left, {part.name: part.init_sha256 for part in parts})

    def claim(
        self, video_id: str, version: int, name: str, worker: str, lease_until: datetime
    ) -> Task | None:
        """Take a piece that waits."""
        task = self._tasks.get((video_id, version, name))
        if task is None or task.state not in ("waiting", "sent"):
            return None
        return self._save(
            replace(
                task,
                state="running",
                attempt=task.attempt + 1,
                worker=worker,
                token=secrets.token_hex(16),
                lease_until=lease_until,
                frames_done=0,
            )
        )

    def beat(
        self, task: Task, frames_done: int, lease_until: datetime, made: Sequence[Rendition] = ()
    ) -> None:
        """Lengthen a claim's lease and note its progress."""
        before = self._claimed(task)
        kept = replace(before, frames_done=frames_done, lease_until=lease_until)
        self._save(replace(kept, renditions=tuple(made) or before.renditions))

    def finish(self, task: Task, renditions: Sequence[Rendition]) -> None:
        """Note a claimed piece as done."""
        claimed = self._claimed(task)
        self._save(
            replace(
                claimed,
                state="done",
                token=None,
                lease_until=None,
                frames_done=claimed.piece.frames,
                renditions=tuple(renditions),
                error=None,
            )
        )

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
        """Note why a claim ended without a result."""
        freed = replace(self._claimed(task), token=None, lease_until=None, frames_done=0, error=error)
        if blame is Blame.PIECE:
            freed = replace(freed, failed_by=(*freed.failed_by, freed.worker or ""), failed_at=now)
        elif blame is Blame.WORKER:
            freed = replace(freed, losses=freed.losses + 1)
        else:
            freed = replace(freed, attempt=freed.attempt - 1)
        self._save(replace(freed, state="failed" if final else "waiting"))
        self._change_turn(freed, not_before=not_before)

    def hold(self, video_id: str, version: int) -> None:
        """Take all that waits or runs back."""
        self._change_all(video_id, version, ("waiting", "sent", "running"), state="held")

    def renew(self, video_id: str, version: int) -> None:
        """Let all that failed or is held wait again; publish stays held."""
        fresh: dict[str, Any] = {"attempt": 0, "error": None, "failed_by": (), "failed_at": None}
        stopped = ("failed", "held")
        for task in self._change_all(video_id, version, stopped, state="waiting", losses=0, **fresh):
            self._change_turn(task, not_before=None)
            if task.piece == PUBLISH:
                self._save(replace(task, state="held"))

    def free(self, video_id: str, version: int, name: str) -> None:
        """Let a held piece wait for its turn."""
        task = self._tasks.get((video_id, version, name))
        if task and task.state == "held":
            self._save(replace(task, state="waiting"))

    def remove(self, video_id: str, version: int) -> None:
        """Remove all pieces of an encode."""
        for task in self.list(video_id, version):
            del self._tasks[video_id, version, task.piece.name]
            del self._turns[video_id, version, task.piece.name]

    def _change_all(
        self, video_id: str, version: int, states: Iterable[str], **changes: Any
    ) -> Sequence[Task]:
        chosen = [task for task in self.list(video_id, version) if task.state in states]
        return [self._save(replace(task, token=None, lease_until=None, **changes)) for task in chosen]

    def _claimed(self, task: Task) -> Task:
        found = self._tasks.get((task.video_id, task.version, task.piece.name))
        if found is None or found.token is None or found.token != task.token:
            raise ClaimLost
        return found
