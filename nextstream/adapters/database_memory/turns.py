"""What of the pieces in memory is sent next, and what was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from nextstream.adapters.database_memory.rows import Key, Rows
from nextstream.domain import scheduling
from nextstream.domain.backlog import Backlog, Running, counted
from nextstream.domain.scheduling import Choice, Waiting
from nextstream.domain.video import Priority
from nextstream.ports import Message, Task


class MemoryTurns:
    """The half of the pieces that sends them."""

    def __init__(self, rows: Rows) -> None:
        self._videos = rows.videos
        self._tasks = rows.pieces
        self._turns = rows.turns

    def lost(self, now: datetime) -> Sequence[Task]:
        """Give the running pieces whose lease has ended."""
        running = [task for task in self._tasks.values() if task.state == "running"]
        return [task for task in running if task.lease_until and task.lease_until < now]

    def in_flight(self) -> Mapping[str, int]:
        """Count the pieces each owner has sent or running."""
        flying = [key for key, task in self._tasks.items() if task.state in ("sent", "running")]
        return Counter(self._turns[key].owner_id for key in flying)

    def waiting(self, now: datetime, per_owner: int) -> Sequence[Waiting]:
        """Give of each owner the first pieces that could be sent."""
        ready = [
            Waiting(turn.place, turn.owner_id, turn.priority, turn.rank)
            for key, turn in self._turns.items()
            if self._tasks[key].state == "waiting" and not (turn.not_before and turn.not_before > now)
        ]
        ready.sort(key=lambda piece: (piece.priority, piece.rank, piece.place))
        taken: Counter[str] = Counter()
        first = []
        for piece in ready:
            taken[piece.owner_id] += 1
            if taken[piece.owner_id] <= per_owner:
                first.append(piece)
        return first

    def send(self, choices: Iterable[Choice], now: datetime) -> Sequence[Message]:
        """Note pieces as sent, and give their messages in the order chosen."""
        keys = {turn.place: key for key, turn in self._turns.items()}
        return [
            self._message(self._tasks[keys[choice.place]], choice.urgency, now)
            for choice in choices
            if choice.place in keys and self._tasks[keys[choice.place]].state == "waiting"
        ]

    def _message(self, task: Task, urgency: int, now: datetime) -> Message:
        self._save(replace(task, state="sent"))
        self._change_turn(task, sent_at=now)
        video, piece = self._videos[task.video_id], task.piece
        return Message(
            task.video_id,
            task.version,
            piece.name,
            piece.kind,
            video.request_id,
            task.attempt,
            urgency,
            piece.rungs,
            video.traceparent,
        )

    def count(self) -> Mapping[str, int]:
        """Count the pieces of each state."""
        found = Counter(task.state for task in self._tasks.values())
        return {state: found[state] for state in scheduling.UNFINISHED}

    def count_sent(self) -> int:
        """Count the pieces whose message was sent."""
        return len(self._sent())

    def unsend(self, count: int) -> int:
        """Let the oldest of those wait to be sent again."""
        oldest = self._sent()[:count]
        for key in oldest:
            self._save(replace(self._tasks[key], state="waiting"))
        return len(oldest)

    def backlog(self) -> Backlog:
        """Add up what waits, and tell how far each claim is."""
        tasks = self._tasks.items()
        waits = [self._turns[key].cost_s for key, task in tasks if task.state in ("waiting", "sent")]
        running = {
            task.token or "": Running(
                self._turns[key].cost_s, task.frames_done / max(1, task.piece.frames)
            )
            for key, task in tasks
            if task.state == "running"
        }
        return Backlog(len(waits), sum(map(counted, waits)), running)

    def prioritise(self, video_id: str, priority: Priority) -> None:
        """Let what isn't done have another priority."""
        for key, task in self._tasks.items():
            if key[0] == video_id and task.state != "done":
                self._change_turn(task, priority=scheduling.order(priority))

    def _sent(self) -> Sequence[Key]:
        sent = [key for key, task in self._tasks.items() if task.state == "sent"]
        return sorted(sent, key=lambda key: self._turns[key].sent_at or datetime.min)

    def _change_turn(self, task: Task, **changes: Any) -> None:
        key = (task.video_id, task.version, task.piece.name)
        self._turns[key] = replace(self._turns[key], **changes)

    def _save(self, task: Task) -> Task:
        self._tasks[task.video_id, task.version, task.piece.name] = task
        return task
