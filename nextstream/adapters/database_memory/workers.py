"""The workers in memory."""

from __future__ import annotations

from collections.abc import Sequence

from nextstream.ports import Worker


class MemoryWorkers:
    """The workers of a transaction."""

    def __init__(self, workers: dict[str, Worker]) -> None:
        self._workers = workers

    def note(self, worker: Worker) -> None:
        """Store what a worker says of itself."""
        self._workers[worker.name] = worker

    def list(self) -> Sequence[Worker]:
        """Give all workers by name."""
        return [self._workers[name] for name in sorted(self._workers)]

    def remove(self, name: str) -> bool:
        """Remove a worker."""
        return self._workers.pop(name, None) is not None
