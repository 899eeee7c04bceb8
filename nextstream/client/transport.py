"""Requests and answers: who asks, what is asked again, and refusals as errors."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema

from nextstream.client.errors import ClientError, NotAnswered, Refused, Unreachable
from nextstream.client.login import Identity
from nextstream.client.problems import read_problem

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "PATCH", "DELETE"})  # our PATCHes set members
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0

_chance = random.SystemRandom()


@dataclass(frozen=True)
class Rate:
    """Where the client stands in its quota of requests."""

    limit: int
    remaining: int
    reset_s: int


def new_key() -> str:
    """Make an Idempotency-Key: what is sent twice under it is done once."""
    return uuid.uuid4().hex


def said(facts: Mapping[str, object]) -> dict[str, Any]:
    """Give a body of what is said; None says nothing."""
    return {name: fact for name, fact in facts.items() if fact is not None}


def part(text: str) -> str:
    """Give a text as one part of a path."""
    return quote(text, safe="")


def pause_s(tried: int) -> float:
    """Give how long to wait after so many tries: ever longer, and not just as long as other clients."""
    return _chance.uniform(0.5, 1) * min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0**tried)


class Transport:
    """Sends requests to one server, as one identity, and asks again what can be asked again.

    `tries` counts the first one. A server that wants to be left alone for longer than half a minute
    is not waited for.
    """

    def __init__(
        self,
        session: requests.Session,
        url: str,
        identity: Identity,
        *,
        timeout_s: float = 60.0,
        tries: int = 5,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url, self.identity, self.sleep = url, identity, sleep
        self.rate: Rate | None = None
        self._session, self._timeout_s, self._tries = session, timeout_s, tries

    def call(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        tries: int | None = None,
        **options: Any,
    ) -> requests.Response:
        """Send a request and give its answer; `options` are those of requests.

        `path` may be a whole URL. With an Idempotency-Key `key` a POST can be sent again, and with
        If-Match nothing can, since the first one may have made the change. Raises Refused, Unreachable.
        """
        sent = {**(headers or {}), **({"Idempotency-Key": key} if key else {})}
        repeatable = key is not None or (method in IDEMPOTENT and "If-Match" not in sent)
        tried, last = 0, tries or self._tries
        while True:
            try:
                return self._send(method, path, sent, options)
            except ClientError as error:
                tried += 1
                if tried > 1 and method == "DELETE" and _is_missing(error):
                    return requests.Response()  # the first one did it, and its answer was lost
                if tried >= last or not _may_repeat(error, repeatable=repeatable):
                    raise
                self.sleep(max(pause_s(tried), getattr(error, "retry_after_s", None) or 0.0))

    def json(self, method: str, path: str, **options: Any) -> Any:
        """Send a request and give the JSON of its answer; as `call`, and raises NotAnswered."""
        return read_json(self.call(method, path, **options))

    def pages(self, path: str, query: Mapping[str, Any], follow: str, **options: Any) -> Iterator[Any]:
        """Give the items of all pages; `follow` is the parameter that takes a page's `next`."""
        asked = dict(query)
        while True:
            page = self.json("GET", path, params=asked, **options)
            yield from page["items"]
            if not page["items"] or page.get("next") is None:
                return
            asked[follow] = page["next"]

    def _send(
        self, method: str, path: str, headers: Mapping[str, str], options: Mapping[str, Any]
    ) -> requests.Response:
        """Send once; or twice, where the server doesn't know our token any more."""
        url = path if "://" in path else self.url + path
        ours = url.startswith(f"{self.url}/")  # nobody else is to see who we are
        bearer = self.identity.bearer() if ours else None
        answer = self._ask(method, url, bearer, headers, options)
        if answer.status_code == 401 and bearer and self.identity.renew(bearer):
            answer.close()
            answer = self._ask(method, url, self.identity.bearer(), headers, options)
        if answer.status_code >= 400:
            raise read_problem(answer)
        if answer.is_redirect:  # as from http to https, where a password or key is not to go twice
            raise NotAnswered(f"{url} leads to {answer.headers['Location']}; use that address.")
        return answer

    def _ask(
        self,
        method: str,
        url: str,
        bearer: str | None,
        headers: Mapping[str, str],
        options: Mapping[str, Any],
    ) -> requests.Response:
        said = {**headers, **({"Authorization": f"Bearer {bearer}"} if bearer else {})}
        # requests would send what ~/.netrc has for the host in place of our own.
        given = {"timeout": self._timeout_s, "allow_redirects": False, "auth": _as_it_is, **options}
        with reaching(url):
            answer = self._session.request(method, url, headers=said, **given)
        self.rate = _rate(answer) or self.rate
        return answer


@contextmanager
def reaching(url: str) -> Iterator[None]:
    """Turn what goes wrong with a connection into Unreachable; raises NotAnswered for no address."""
    try:
        yield
    except (MissingSchema, InvalidSchema, InvalidURL) as error:
        raise NotAnswered(f"{url} is no address; one begins with https:// or http://.") from error
    except requests.RequestException as error:
        host = url.split("/")[2]
        raise Unreachable(f"{host} can't be reached, or the connection broke off.") from error


def read_json(answer: requests.Response) -> Any:
    """Give an answer's JSON; raises NotAnswered where it is none."""
    try:
        return answer.json()
    except ValueError as error:
        raise NotAnswered(f"{answer.url} didn't answer with JSON; is that a NextStream?") from error


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _is_missing(error: ClientError) -> bool:
    return isinstance(error, Refused) and error.status == 404


def _may_repeat(error: ClientError, *, repeatable: bool) -> bool:
    """Tell whether to ask again: what wasn't done for sure, and what does no harm when done twice."""
    if isinstance(error, Refused):
        wait_s = error.retry_after_s
        return wait_s is not None and wait_s <= LONGEST_PAUSE_S and (repeatable or error.status == 429)
    return error.retryable and repeatable


def _rate(answer: requests.Response) -> Rate | None:
    names = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
    try:
        return Rate(*(int(answer.headers[name]) for name in names))
    except (KeyError, ValueError):
        return None
