"""Events of tasks, workers and webhooks."""

from __future__ import annotations

from dataclasses import dataclass

from nextstream.domain.event_types.declaring import Data, declare, tells

# Tasks, told by Celery's signals; the key is the video's id.


@declare("task.started")
@dataclass(frozen=True, kw_only=True)
class TaskStarted(Data):
    """A worker has begun a media task."""

    task: str = tells("The task's name, as `media.encode`.")
    task_id: str = tells("Celery's id of it.")
    version: int = tells("The encode that it is a part of.")
    worker: str | None = tells("The worker's name; absent where none had it.", None)
    attempt: int = tells("Which try this is, from 1 on.")
    piece: str | None = tells("The piece's name; absent for probing and publishing.", None)


@declare("task.succeeded")
@dataclass(frozen=True, kw_only=True)
class TaskSucceeded(TaskStarted):
    """A task has done what it was for."""


@declare("task.retried")
@dataclass(frozen=True, kw_only=True)
class TaskRetried(TaskStarted):
    """A task ended without a result, and its piece waits for the next try."""

    reason: str = tells("What kept it.")


@declare("task.failed")
@dataclass(frozen=True, kw_only=True)
class TaskFailed(TaskStarted):
    """A task failed, and isn't tried again."""

    error: str = tells("The error's class.")
    detail: str = tells("The error's words, for operators.")


@declare("task.revoked")
@dataclass(frozen=True, kw_only=True)
class TaskRevoked(TaskStarted):
    """A task was taken back before its end, by an operator or since it was too old."""

    terminated: bool = tells("Whether it was running.")
    expired: bool = tells("Whether it was too old.")


# Workers; the key is the worker's name.


@declare("worker.online")
@dataclass(frozen=True, kw_only=True)
class WorkerOnline(Data):
    """A worker takes work."""

    slots: int = tells("The pieces it encodes at once; 0 for a worker of other queues.", 0)


@declare("worker.draining")
@dataclass(frozen=True, kw_only=True)
class WorkerDraining(Data):
    """A worker takes no more work, and ends what it has."""


@declare("worker.offline")
@dataclass(frozen=True, kw_only=True)
class WorkerOffline(Data):
    """A worker has ended."""

    lost: bool = tells("Whether it ended without a word, and is given up an hour later.", default=False)


# Webhooks; the key is the webhook's id.


@declare("webhook.ping")
@dataclass(frozen=True, kw_only=True)
class Ping(Data):
    """A webhook's owner tries it out."""

    webhook_id: str = tells("The webhook.")
