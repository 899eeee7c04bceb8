"""The accounts in memory."""

from __future__ import annotations

from collections.abc import Sequence

from nextstream.domain.accounts import Account
from nextstream.errors import AccountExists, Conflict


class MemoryAccounts:
    """The accounts of a transaction."""

    def __init__(self, accounts: dict[str, Account]) -> None:
        self._accounts = accounts

    def add(self, account: Account) -> None:
        """Store a new account."""
        if account.id in self._accounts:
            raise AccountExists
        self._store(account)

    def get(self, account_id: str) -> Account | None:
        """Give an account by its id."""
        return self._accounts.get(account_id)

    def lock(self, account_id: str) -> Account | None:
        """Give an account; transactions take turns here."""
        return self.get(account_id)

    def find(self, name: str) -> Account | None:
        """Give an account by its name, in any case."""
        return next((a for a in self._accounts.values() if a.name == name.lower()), None)

    def save(self, account: Account) -> None:
        """Store a changed account; raises AccountExists, and Conflict where it is gone."""
        if account.id not in self._accounts:
            raise Conflict(detail=f"account {account.id} is gone")
        self._store(account)

    def count(self) -> int:
        """Count the accounts."""
        return len(self._accounts)

    def page(self, after: str | None, limit: int) -> Sequence[Account]:
        """Give accounts by their names."""
        named = sorted(self._accounts.values(), key=lambda account: account.name)
        return [account for account in named if after is None or account.name > after][:limit]

    def _store(self, account: Account) -> None:
        same_name = self.find(account.name)
        if same_name and same_name.id != account.id:
            raise AccountExists
        self._accounts[account.id] = account
