"""Files elsewhere, which are fetched for users."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class RemoteFile:
    """A file that is being fetched from `offset` on; `size_bytes` is that of the whole, if known."""

    blocks: Iterator[bytes]
    size_bytes: int | None
    offset: int = 0


class Remote(Protocol):
    """Fetches files from the public internet, and from nowhere else."""

    def open(self, url: str, offset: int = 0) -> AbstractContextManager[RemoteFile]:
        """Begin to fetch a file, by range where the server can; its own `offset` may be 0 all the same.

        Raises BadRequest for an address that is none of the public internet's, RemoteRefused for an
        answer that is no file, and RemoteUnavailable where trying again may help.
        """
        ...
