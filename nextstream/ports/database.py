"""The truth, in transactions."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from nextstream.ports.accounts import Accounts
from nextstream.ports.api_keys import ApiKeys
from nextstream.ports.audit import Audit
from nextstream.ports.events import Outbox
from nextstream.ports.idempotency import KeyedRequests
from nextstream.ports.pieces import Pieces
from nextstream.ports.purges import Purges
from nextstream.ports.sessions import Sessions
from nextstream.ports.uploads import Uploads
from nextstream.ports.videos import Videos
from nextstream.ports.webhooks import Webhooks
from nextstream.ports.workers import Workers


class Transaction(Protocol):
    """One unit of work: all of it is stored, or nothing."""

    @property
    def videos(self) -> Videos: ...  # noqa: D102  named by its type

    @property
    def pieces(self) -> Pieces: ...  # noqa: D102  named by its type

    @property
    def workers(self) -> Workers: ...  # noqa: D102  named by its type

    @property
    def purges(self) -> Purges: ...  # noqa: D102  named by its type

    @property
    def accounts(self) -> Accounts: ...  # noqa: D102  named by its type

    @property
    def uploads(self) -> Uploads: ...  # noqa: D102  named by its type

    @property
    def sessions(self) -> Sessions: ...  # noqa: D102  named by its type

    @property
    def api_keys(self) -> ApiKeys: ...  # noqa: D102  named by its type

    @property
    def audit(self) -> Audit: ...  # noqa: D102  named by its type

    @property
    def outbox(self) -> Outbox: ...  # noqa: D102  named by its type

    @property
    def keyed_requests(self) -> KeyedRequests: ...  # noqa: D102  named by its type

    @property
    def webhooks(self) -> Webhooks: ...  # noqa: D102  named by its type


class Database(Protocol):
    """The truth: videos, their work, accounts and the outbox."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Open a transaction that commits at the end of the block, or rolls back on an error.

        Raises DatabaseUnavailable, after which nothing of the block is stored, unless the
        connection broke in the commit itself: then nobody can know. Raises Conflict at the
        block's end for what is there already, and BadRequest for text that can't be stored.
        """
        ...

    def reading(self) -> AbstractContextManager[Transaction]:
        """Open a transaction that only reads, and so waits for no other; nothing it writes is kept.

        It sees what was committed when it began. Raises as `transaction`.
        """
        ...

    def close(self) -> None:
        """Let the connections go."""
        ...
