"""Hashes passwords with argon2id; and a twin that is fast."""

from __future__ import annotations


class PlainPasswords:
    """Keeps passwords readable: for tests alone."""

    def hash(self, password: str) -> str:
        """Give the password, marked."""
        return f"plain:{password}"

    def verify(self, password_hash: str | None, password: str) -> bool:
        """Compare."""
        return password_hash == f"plain:{password}"
