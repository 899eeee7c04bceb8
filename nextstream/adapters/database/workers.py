"""The table of workers."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select, update

from nextstream.adapters.database import tables
from nextstream.ports import Worker


class SqlWorkers:
    """The workers of a transaction."""

    _table = tables.workers
    _columns = tables.columns(_table, Worker)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def note(self, worker: Worker) -> None:
        """Store what a worker says of itself."""
        mine = update(self._table).where(self._table.c.name == worker.name)
        if not self._connection.execute(mine.values(tables.row(worker))).rowcount:
            self._connection.execute(insert(self._table), tables.row(worker))

    def list(self) -> Sequence[Worker]:
        """Give all workers by name."""
        chosen = select(*self._columns).order_by(self._table.c.name)
        return [Worker(*row) for row in self._connection.execute(chosen)]

    def remove(self, name: str) -> bool:
        """Remove a worker."""
        gone = delete(self._table).where(self._table.c.name == name)
        return bool(self._connection.execute(gone).rowcount)
