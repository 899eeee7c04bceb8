"""Keeps signing keys as files in a folder that its owner alone can read."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from nextstream.adapters.signing_memory import MemorySigningKeys
from nextstream.domain.signing import SigningKey
from nextstream.errors import Misconfigured
from nextstream.ports import Clock

SETTLED_S = 1.0  # a folder changed later than this may change again within one tick of its clock


class FolderSigningKeys(MemorySigningKeys):
    """One file a key, `<kid>.json`; many processes may share the folder, and see each other's keys."""

    def __init__(self, folder: Path, token_s: float, clock: Clock) -> None:
        super().__init__(token_s, clock)
        self._folder = folder
        self._read_at_ns = 0

    def _read(self) -> Sequence[SigningKey]:
        """Read the folder where it changed since: two processes may rotate, and all see it at once."""
        try:
            changed_ns = self._folder.stat().st_mtime_ns
            if changed_ns != self._read_at_ns:
                self._keys = tuple(_read_all(self._folder))
                settled = time.time() - changed_ns / 1e9 > SETTLED_S
                self._read_at_ns = changed_ns if settled else 0
        except FileNotFoundError:
            self._keys, self._read_at_ns = (), 0
        except OSError as error:
            raise Misconfigured(f"{self._folder} can't be read: {error.strerror}.") from error
        return self._keys

    def _keep(self, key: SigningKey) -> None:
        """Write a key under another name first, so that nobody reads half of it."""
        text = json.dumps({**key.jwk, "kid": key.kid, "signs_from": key.signs_from.isoformat()})
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file, path = tempfile.mkstemp(dir=self._folder)  # with mode 0600
            with os.fdopen(file, "w") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            Path(path).rename(self._path(key.kid))
        except OSError as error:
            raise Misconfigured(f"{self._folder} can't be written: {error.strerror}.") from error
        self._read_at_ns = 0

    def _drop(self, kid: str) -> None:
        with suppress(FileNotFoundError):
            self._path(kid).unlink()
        self._read_at_ns = 0

    def _path(self, kid: str) -> Path:
        return self._folder / f"{kid}.json"  # only for ids of our own making; others are compared


def _read_all(folder: Path) -> Iterator[SigningKey]:
    for path in sorted(folder.glob("*.json")):
        with suppress(FileNotFoundError):  # another process has just forgotten it
            yield _parse(path)


def _parse(path: Path) -> SigningKey:
    try:
        jwk = json.loads(path.read_text())
        kid, signs_from = jwk.pop("kid"), datetime.fromisoformat(jwk.pop("signs_from"))
        if set(jwk) != {"kty", "crv", "x", "d"}:
            raise ValueError("not an Ed25519 key")
        return SigningKey(kid, jwk, signs_from)
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise Misconfigured(f"{path} holds no signing key; remove it.") from error
