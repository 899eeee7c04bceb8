"""Who a client is: by an API key, or by the tokens of a login, which renew themselves."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import requests

from nextstream.client.errors import Unreachable
from nextstream.client.problems import read_problem

EARLY_S = 30.0  # before its end an access token is renewed, so that none ends on its way
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Tokens:
    """The tokens of a login; `refresh` can be used once, and `ends_at` is the access token's end."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    ends_at: float

    @classmethod
    def of(cls, body: dict[str, Any]) -> Tokens:
        """Read them from a login's answer."""
        return cls(body["access_token"], body["refresh_token"], time.time() + body["expires_in"])


class Shelf(Protocol):
    """Where the tokens of a login are kept; programs that share one renew them one at a time."""

    def locked(self) -> AbstractContextManager[None]:
        """Keep other programs away for the block."""
        ...

    def load(self) -> Tokens:
        """Give the tokens."""
        ...

    def save(self, tokens: Tokens) -> None:
        """Keep new tokens; the old ones are worth nothing any more."""
        ...


class Memory:
    """Keeps tokens as long as the program runs."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def locked(self) -> AbstractContextManager[None]:
        """Do nothing: nobody else has them."""
        return nullcontext()

    def load(self) -> Tokens:
        """Give the tokens."""
        return self._tokens

    def save(self, tokens: Tokens) -> None:
        """Keep new tokens."""
        self._tokens = tokens


class Identity(Protocol):
    """Who sends the requests of a client."""

    def bearer(self) -> str | None:
        """Give what stands behind Bearer; None is for a stranger."""
        ...

    def renew(self, stale: str) -> bool:
        """Get another bearer than one that was refused; False where there is none."""
        ...


@dataclass(frozen=True)
class Key:
    """An API key, or nobody without."""

    text: str | None = field(default=None, repr=False)

    def bearer(self) -> str | None:
        """Give the key."""
        return self.text

    def renew(self, stale: str) -> bool:  # noqa: ARG002  it has no other
        """Have no other."""
        return False


class Login:
    """The tokens of a login, renewed before they end and when the server refuses them."""

    def __init__(self, session: requests.Session, url: str, shelf: Shelf) -> None:
        self._session, self._url, self._shelf = session, url, shelf
        self._lock = threading.Lock()

    def bearer(self) -> str:
        """Give an access token that is good for a while; raises Refused where the login has ended."""
        tokens = self._shelf.load()
        if tokens.ends_at - time.time() > EARLY_S:
            return tokens.access
        self.renew(tokens.access)
        return self._shelf.load().access

    def renew(self, stale: str) -> bool:
        """Renew the tokens, unless another thread or program just did; raises Refused, Unreachable."""
        with self._lock, self._shelf.locked():
            tokens = self._shelf.load()
            if tokens.access == stale:
                self._shelf.save(self._refresh(tokens.refresh))
        return True

    def _refresh(self, token: str) -> Tokens:
        """Get new tokens; asked again within seconds, the server gives the same ones."""
        try:
            return self._ask(token)
        except Unreachable:
            return self._ask(token)

    def _ask(self, token: str) -> Tokens:
        headers = {"Authorization": f"Bearer {token}"}
        try:
            answer = self._session.post(
                f"{self._url}/api/v1/auth/refresh", headers=headers, timeout=TIMEOUT_S
            )
        except requests.RequestException as error:
            raise Unreachable(f"{self._url} can't be reached.") from error
        if not answer.ok:
            raise read_problem(answer)
        return Tokens.of(answer.json())
