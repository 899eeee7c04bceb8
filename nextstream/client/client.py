"""The client: one server, one identity, and all that can be asked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Self

import requests

from nextstream.client.account_values import Account
from nextstream.client.accounts import ApiKeys, Me, Operators, Sessions
from nextstream.client.downloads import Downloads
from nextstream.client.login import Identity, Key, Login, Memory, Shelf, Tokens
from nextstream.client.transport import Rate, Transport
from nextstream.client.unfinished import InFolder, InMemory
from nextstream.client.uploads import Uploads
from nextstream.client.values import read
from nextstream.client.videos import Subtitles, Videos
from nextstream.client.webhooks import Webhooks


class Client:
    """A NextStream server as one account sees it; a context manager, for one thread at a time.

    With an API key, or with the `shelf` that keeps the tokens of a login, or as a stranger. What can
    be asked again is, up to `tries` times in all. `unfinished` is a folder that remembers uploads, so
    that another run of the program goes on with them. All methods raise errors of
    `nextstream.client.errors`.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        *,
        shelf: Shelf | None = None,
        unfinished: Path | str | None = None,
        timeout_s: float = 60.0,
        tries: int = 5,
    ) -> None:
        url, self._session = url.rstrip("/"), requests.Session()
        identity: Identity = Login(self._session, url, shelf) if shelf else Key(api_key)
        http = Transport(self._session, url, identity, timeout_s=timeout_s, tries=tries)
        self._http, self.url = http, url
        self.videos, self.subtitles = Videos(http), Subtitles(http)
        self.uploads = Uploads(http, InFolder(Path(unfinished)) if unfinished else InMemory())
        self.downloads = Downloads(http, self.videos)
        self.webhooks = Webhooks(http)
        self.me, self.sessions, self.api_keys = Me(http), Sessions(http), ApiKeys(http)
        self.operators = Operators(http)

    @classmethod
    def log_in(
        cls,
        url: str,
        name: str,
        password: str,
        *,
        scopes: Iterable[str] | None = None,
        unfinished: Path | str | None = None,
    ) -> Self:
        """Give a client that is logged in, and renews its tokens by itself; raises Refused."""
        tokens = log_in(url, name, password, scopes)
        return cls(url, shelf=Memory(tokens), unfinished=unfinished)

    @property
    def rate(self) -> Rate | None:
        """Give where the client stands in its quota of requests, as the last answer told."""
        return self._http.rate

    def register(self, name: str, password: str) -> Account:
        """Create an account, where the server lets anyone."""
        body = {"name": name, "password": password}
        return read(Account, self._http.json("POST", "/api/v1/auth/register", json=body))

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def log_in(url: str, name: str, password: str, scopes: Iterable[str] | None = None) -> Tokens:
    """Begin a session, and give its tokens, for a shelf; without scopes for all the account may do."""
    body = {"name": name, "password": password, **({"scopes": [*map(str, scopes)]} if scopes else {})}
    with requests.Session() as session:
        http = Transport(session, url.rstrip("/"), Key())
        return Tokens.of(http.json("POST", "/api/v1/auth/login", json=body))
