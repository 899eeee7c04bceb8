"""A database whose transactions are timed, and whose absence is counted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from nextstream.domain.metrics import BACKEND_ERRORS, DATABASE_SECONDS
from nextstream.errors import DatabaseUnavailable
from nextstream.ports import Database, Metrics, Transaction


class MeasuredDatabase:
    """Does what the database does."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Open a transaction."""
        return self._measured(self._database.transaction())

    def reading(self) -> AbstractContextManager[Transaction]:
        """Open a transaction that only reads."""
        return self._measured(self._database.reading())

    def close(self) -> None:
        """Let the connections go."""
        self._database.close()

    @contextmanager
    def _measured(self, opened: AbstractContextManager[Transaction]) -> Iterator[Transaction]:
        began_at = time.monotonic()
        try:
            with opened as tx:
                yield tx
        except DatabaseUnavailable as error:
            self._metrics.count(BACKEND_ERRORS, backend="database", code=error.code)
            raise
        self._metrics.observe(DATABASE_SECONDS, time.monotonic() - began_at)
