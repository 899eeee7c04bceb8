"""The rows of sessions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from nextstream.domain.sessions import Session


class Sessions(Protocol):
    """The sessions, inside a transaction."""

    def add(self, session: Session) -> None:
        """Store a new session."""
        ...

    def get(self, session_id: str) -> Session | None:
        """Give a session."""
        ...

    def lock(self, session_id: str) -> Session | None:
        """Give a session that no other transaction changes before this one ends."""
        ...

    def save(self, session: Session) -> None:
        """Store a changed session, which this transaction has locked."""
        ...

    def prune(self, before: datetime) -> int:
        """Remove sessions that expired before a time, ended or not, and count them."""
        ...

    def list(self, account_id: str) -> Sequence[Session]:
        """Give the sessions of an account that haven't been ended, the last used first, locked."""
        ...
