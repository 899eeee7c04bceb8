"""The pieces of work in memory."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from nextstream.adapters.database_memory.rows import Rows
from nextstream.domain.plan import Piece
from nextstream.domain.video import Rendition
from nextstream.errors import ClaimLost, Conflict
from nextstream.ports import Standing, Task


class MemoryPieces:
    """The pieces of a transaction."""

    def __init__(self, rows: Rows) -> None:
        self._videos = rows.videos
        self._tasks = rows.pieces

    def add(self, video_id: str, version: int, pieces: Iterable[Piece]) -> None:
        """Store new pieces, waiting; raises Conflict for one that is there, or without its video."""
        for piece in pieces:
            key = (video_id, version, piece.name)
            if video_id not in self._videos or key in self._tasks:
                raise Conflict(detail=piece.name)
            self._tasks[key] = Task(video_id, version, piece)

    def list(self, video_id: str, version: int) -> Sequence[Task]:
        """Give all pieces of an encode."""
        return [task for key, task in self._tasks.items() if key[:2] == (video_id, version)]

    def survey(self, video_id: str, version: int) -> Mapping[str, Standing]:
        """Tell how far each piece of an encode is."""
        tasks = self.list(video_id, version)
        return {task.piece.name: Standing(task.state, task.frames_done) for task in tasks}

    def made(self, video_id: str, version: int, names: Iterable[str]) -> Sequence[Rendition]:
        """Give what these pieces made so far."""
        wanted = set(names)
        tasks = [task for task in self.list(video_id, version) if task.piece.name in wanted]
        return [made for task in tasks for made in task.renditions]

    def claim(
        self, video_id: str, version: int, name: str, worker: str, now: datetime, lease_until: datetime
    ) -> Task | None:
        """Take a piece that waits or whose lease has ended."""
        task = self._tasks.get((video_id, version, name))
        if task is None or not _is_free(task, now):
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

    def give_back(self, task: Task, error: str, *, final: bool) -> None:
        """Note why a claimed piece failed."""
        freed = replace(self._claimed(task), token=None, lease_until=None, frames_done=0)
        self._save(replace(freed, state="failed" if final else "waiting", error=error))

    def _claimed(self, task: Task) -> Task:
        found = self._tasks.get((task.video_id, task.version, task.piece.name))
        if found is None or found.token is None or found.token != task.token:
            raise ClaimLost
        return found

    def _save(self, task: Task) -> Task:
        self._tasks[task.video_id, task.version, task.piece.name] = task
        return task


def _is_free(task: Task, now: datetime) -> bool:
    lost = task.lease_until is not None and task.lease_until < now
    return task.state == "waiting" or (task.state == "running" and lost)
