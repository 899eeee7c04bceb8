"""The table of accounts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from nextstream.adapters.database import tables
from nextstream.domain.accounts import Account
from nextstream.errors import AccountExists, Conflict


class SqlAccounts:
    """The accounts of a transaction."""

    _table = tables.accounts
    _columns = tables.columns(_table, Account)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, account: Account) -> None:
        """Store a new account."""
        with self._named_once():
            self._connection.execute(insert(self._table), tables.row(account))

    def get(self, account_id: str) -> Account | None:
        """Give an account by its id."""
        return self._one(self._select(self._table.c.id == account_id))

    def lock(self, account_id: str) -> Account | None:
        """Give an account whose row is ours; SQLite's transactions take turns anyway."""
        return self._one(self._select(self._table.c.id == account_id).with_for_update())

    def find(self, name: str) -> Account | None:
        """Give an account by its name, in any case."""
        return self._one(self._select(self._table.c.name == name.lower()))

    def save(self, account: Account) -> None:
        """Store a changed account; raises AccountExists, and Conflict where it is gone."""
        with self._named_once():
            saved = self._connection.execute(
                update(self._table).where(self._table.c.id == account.id).values(tables.row(account))
            )
        if not saved.rowcount:
            raise Conflict(detail=f"account {account.id} is gone")

    def count(self) -> int:
        """Count the accounts."""
        return self._connection.execute(select(func.count()).select_from(self._table)).scalar_one()

    def page(self, after: str | None, limit: int) -> Sequence[Account]:
        """Give accounts by their names."""
        wanted = select(*self._columns).order_by(self._table.c.name).limit(limit)
        if after is not None:
            wanted = wanted.where(self._table.c.name > after)
        return [Account(*row) for row in self._connection.execute(wanted)]

    def _select(self, condition: ColumnElement[bool]) -> Select[Any]:
        return select(*self._columns).where(condition)

    def _one(self, wanted: Select[Any]) -> Account | None:
        found = self._connection.execute(wanted).one_or_none()
        return None if found is None else Account(*found)

    @contextmanager
    def _named_once(self) -> Iterator[None]:
        """Raise AccountExists for a name or id that is taken, and leave the transaction usable."""
        try:
            with self._connection.begin_nested():
                yield
        except IntegrityError as error:
            raise AccountExists from error
