"""The rows of accounts, and how their passwords are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nextstream.domain.accounts import Account


class Accounts(Protocol):
    """The accounts, inside a transaction."""

    def add(self, account: Account) -> None:
        """Store a new account; raises AccountExists where the name is taken."""
        ...

    def get(self, account_id: str) -> Account | None:
        """Give an account by its id."""
        ...

    def lock(self, account_id: str) -> Account | None:
        """Give an account that no other transaction changes before this one ends."""
        ...

    def find(self, name: str) -> Account | None:
        """Give an account by its name, in any case."""
        ...

    def save(self, account: Account) -> None:
        """Store a changed account, which this transaction has locked."""
        ...

    def count(self) -> int:
        """Count the accounts."""
        ...

    def page(self, after: str | None, limit: int) -> Sequence[Account]:
        """Give accounts by their names, from the one after the name `after` on."""
        ...


class Passwords(Protocol):
    """Hashes passwords and checks them."""

    def hash(self, password: str) -> str:
        """Give a salted hash."""
        ...

    def verify(self, password_hash: str | None, password: str) -> bool:
        """Check a password in the same time whether there is a hash or not."""
        ...

    def is_outdated(self, password_hash: str) -> bool:
        """Tell whether a hash was made with weaker parameters than today's."""
        ...

    def is_common(self, password: str) -> bool:
        """Tell whether a password is among those that guessers try first."""
        ...
