"""The database's in-memory twin: transactions work on a copy, which replaces the truth at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nextstream import event_schemas
from nextstream.adapters.database_memory.accounts import MemoryAccounts
from nextstream.adapters.database_memory.api_keys import MemoryApiKeys
from nextstream.adapters.database_memory.audit import MemoryAudit
from nextstream.adapters.database_memory.idempotency import MemoryKeyedRequests
from nextstream.adapters.database_memory.outbox import MemoryOutbox
from nextstream.adapters.database_memory.pieces import MemoryPieces
from nextstream.adapters.database_memory.purges import MemoryPurges
from nextstream.adapters.database_memory.rows import Rows
from nextstream.adapters.database_memory.sessions import MemorySessions
from nextstream.adapters.database_memory.uploads import MemoryUploads
from nextstream.adapters.database_memory.videos import MemoryVideos
from nextstream.adapters.database_memory.webhooks import MemoryWebhooks
from nextstream.adapters.database_memory.workers import MemoryWorkers
from nextstream.domain.events import Event
from nextstream.errors import DatabaseUnavailable
from nextstream.ports import Transaction

PATIENCE_S = 10  # for the transaction before; one inside another would wait for ever


class MemoryDatabase:
    """Keeps everything in this process; one transaction runs at a time. `away` makes it unavailable."""

    def __init__(
        self, patience_s: float = PATIENCE_S, check: Callable[[Event], None] = event_schemas.check
    ) -> None:
        self.away = False
        self._rows = Rows()
        self._lock = threading.Lock()
        self._patience_s = patience_s
        self._check = check

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Open a transaction on a copy, which is kept unless the block raises."""
        if self.away or not self._lock.acquire(timeout=self._patience_s):
            raise DatabaseUnavailable
        try:
            rows = self._rows.copy()
            yield MemoryTransaction(rows, self._check)
            self._rows = rows
        finally:
            self._lock.release()

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """Open a transaction on the truth as it is; what is written to it is lost."""
        if self.away:
            raise DatabaseUnavailable
        yield MemoryTransaction(self._rows.copy(), self._check)

    def close(self) -> None:
        """Let nothing go."""


class MemoryTransaction:
    """The tables of one unit of work."""

    def __init__(self, rows: Rows, check: Callable[[Event], None]) -> None:
        self.videos = MemoryVideos(rows)
        self.pieces = MemoryPieces(rows)
        self.workers = MemoryWorkers(rows.workers)
        self.purges = MemoryPurges(rows.purges)
        self.uploads = MemoryUploads(rows)
        self.accounts = MemoryAccounts(rows.accounts)
        self.sessions = MemorySessions(rows.sessions)
        self.api_keys = MemoryApiKeys(rows.api_keys)
        self.audit = MemoryAudit(rows.audit)
        self.keyed_requests = MemoryKeyedRequests(rows.keyed_requests)
        self.outbox = MemoryOutbox(rows, check)
        self.webhooks = MemoryWebhooks(rows)
