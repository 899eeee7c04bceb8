"""Commands to log in to a server and out again, and who the other commands are there."""

from __future__ import annotations

import fcntl
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nextstream.cli.shell import command, main, out
from nextstream.errors import NextStreamError
from nextstream.remote_settings import Remote

if TYPE_CHECKING:
    from nextstream.client import Client, ClientError, Tokens

AGAIN = "Log in with `nextstream login URL`, or set NEXTSTREAM_URL and NEXTSTREAM_API_KEY."


class NotLoggedIn(NextStreamError):
    """You are not logged in."""


class ServerSays(NextStreamError):
    """The server refused, or can't be reached."""


class LoginFile:
    """Keeps the tokens of a login in a file that its owner alone can read, for all commands."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other commands away for the block: a refresh token can be used once."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._path.with_name("login.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def load(self) -> Tokens:
        """Give the tokens; raises NotLoggedIn."""
        from nextstream.client import Tokens

        return Tokens(**self._read()["tokens"])

    def save(self, tokens: Tokens) -> None:
        """Keep new tokens of the same login; raises NotLoggedIn where another command logged out."""
        self.begin(self.url(), tokens)

    def url(self) -> str:
        """Give the server's address; raises NotLoggedIn."""
        return str(self._read()["url"])

    def begin(self, url: str, tokens: Tokens) -> None:
        """Keep a login."""
        from nextstream.client.unfinished import write_private

        write_private(self._path, json.dumps({"url": url, "tokens": asdict(tokens)}))

    def forget(self) -> None:
        """Remove the login."""
        self._path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._path.read_text()))
        except (OSError, ValueError) as error:
            raise NotLoggedIn(f"You are not logged in. {AGAIN}") from error


@contextmanager
def connected() -> Iterator[Client]:
    """Give a client for the block: by the API key of the environment, else by the last login.

    Raises NotLoggedIn, and ServerSays in place of the client's errors.
    """
    from nextstream.client import Client

    remote = Remote.read()
    file, folder = LoginFile(remote.login_file), remote.state_dir / "uploads"
    key, url = remote.api_key or None, remote.url or file.url()
    if not key and remote.url and file.url() != remote.url:
        raise NotLoggedIn(f"You are not logged in at {remote.url}. {AGAIN}")
    client = Client(url, key, shelf=None if key else file, unfinished=folder)
    with _sentences(), client:
        yield client


@contextmanager
def _sentences() -> Iterator[None]:
    """Turn the client's errors into ours, which end a command with a sentence."""
    from nextstream.client import ClientError

    try:
        yield
    except ClientError as error:
        raise ServerSays(_sentence(error)) from error


def _sentence(error: ClientError) -> str:
    is_over = getattr(error, "status", None) == 401
    return f"{error} {AGAIN}" if is_over else str(error)


@command(main)
@click.argument("url")
@click.option("--name", prompt=True, help="Name of your account.")
def login(url: str, name: str) -> None:
    """Log in to the server at URL; the password is asked for, or read from a pipe."""
    from nextstream.client import log_in

    url = url.rstrip("/")
    password = sys.stdin.readline().rstrip("\n") if not sys.stdin.isatty() else _ask()
    with _sentences():
        tokens = log_in(url, name, password)
    file = LoginFile(Remote.read().login_file)
    file.begin(url, tokens)
    out.print(f"Logged in at {url} as {name}.")


def _ask() -> str:
    return str(click.prompt("Password", hide_input=True))


@command(main)
def logout() -> None:
    """Log out, and forget the login."""
    file = LoginFile(Remote.read().login_file)
    with connected() as client:
        client.me.log_out()
    file.forget()
    out.print("Logged out.")
