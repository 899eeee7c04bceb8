"""The sessions in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from nextstream.domain.sessions import Session
from nextstream.errors import Conflict


class MemorySessions:
    """The sessions of a transaction."""

    def __init__(self, sessions: dict[str, Session]) -> None:
        self._sessions = sessions

    def add(self, session: Session) -> None:
        """Store a new session; raises Conflict for one that is there already."""
        if session.id in self._sessions:
            raise Conflict(detail="session")
        self._sessions[session.id] = session

    def get(self, session_id: str) -> Session | None:
        """Give a session."""
        return self._sessions.get(session_id)

    def lock(self, session_id: str) -> Session | None:
        """Give a session; transactions take turns here."""
        return self.get(session_id)

    def save(self, session: Session) -> None:
        """Store a changed session."""
        if session.id in self._sessions:
            self._sessions[session.id] = session

    def prune(self, before: datetime) -> int:
        """Remove sessions that expired before a time."""
        expired = [s.id for s in self._sessions.values() if s.expires_at < before]
        for session_id in expired:
            del self._sessions[session_id]
        return len(expired)

    def list(self, account_id: str) -> Sequence[Session]:
        """Give an account's sessions that haven't been ended."""
        found = [s for s in self._sessions.values() if s.account_id == account_id and s.ended_at is None]
        return sorted(found, key=lambda s: (s.used_at, s.id), reverse=True)
