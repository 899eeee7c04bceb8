"""Keeps the truth in SQLite or PostgreSQL, by SQLAlchemy's Core; a file for each table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from nextstream.adapters.database.accounts import SqlAccounts
from nextstream.adapters.database.api_keys import SqlApiKeys
from nextstream.adapters.database.audit import SqlAudit
from nextstream.adapters.database.engine import PATIENCE_S, open_engine, open_reader, our_errors
from nextstream.adapters.database.idempotency import SqlKeyedRequests
from nextstream.adapters.database.outbox import SqlOutbox
from nextstream.adapters.database.pieces import SqlPieces
from nextstream.adapters.database.purges import SqlPurges
from nextstream.adapters.database.sessions import SqlSessions
from nextstream.adapters.database.uploads import SqlUploads
from nextstream.adapters.database.videos import SqlVideos
from nextstream.adapters.database.webhooks import SqlWebhooks
from nextstream.adapters.database.workers import SqlWorkers
from nextstream.ports import Transaction


class SqlDatabase:
    """A database by its URL; build it after forking, for connections don't survive one."""

    def __init__(self, url: str, patience_s: float = PATIENCE_S) -> None:
        self._engine = open_engine(url, patience_s=patience_s)
        self._reader = open_reader(url, patience_s) or self._engine

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Open a transaction; where the connection breaks in the commit itself, either may be true.

        Raises DatabaseUnavailable, Conflict for a row that is there already, and BadRequest for
        text that can't be stored.
        """
        with our_errors(), self._engine.begin() as connection:
            yield SqlTransaction(connection)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """Open a transaction that only reads; raises as `transaction`."""
        with our_errors(), self._reader.connect() as connection, connection.begin() as transaction:
            yield SqlTransaction(connection)
            transaction.rollback()

    def close(self) -> None:
        """Let the connections go."""
        self._engine.dispose()
        self._reader.dispose()


class SqlTransaction:
    """The tables by one connection."""

    def __init__(self, connection: Connection) -> None:
        self.videos = SqlVideos(connection)
        self.pieces = SqlPieces(connection)
        self.workers = SqlWorkers(connection)
        self.purges = SqlPurges(connection)
        self.uploads = SqlUploads(connection)
        self.accounts = SqlAccounts(connection)
        self.sessions = SqlSessions(connection)
        self.api_keys = SqlApiKeys(connection)
        self.audit = SqlAudit(connection)
        self.keyed_requests = SqlKeyedRequests(connection)
        self.outbox = SqlOutbox(connection)
        self.webhooks = SqlWebhooks(connection)
