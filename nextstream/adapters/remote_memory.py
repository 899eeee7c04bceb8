"""Files elsewhere, from a dictionary; breaks off after `cut_bytes`, if that is set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nextstream.domain import remote_urls
from nextstream.errors import RemoteRefused, RemoteUnavailable
from nextstream.ports import RemoteFile

BLOCK_BYTES = 1000


class MemoryRemote:
    """Keeps files by their URL in `files`, and the offsets that were asked for in `asked`."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[int] = []
        self.cut_bytes: int | None = None

    @contextmanager
    def open(self, url: str, offset: int = 0) -> Iterator[RemoteFile]:
        """Begin to fetch a file."""
        remote_urls.check(url, frozenset({80, 443}))
        self.asked.append(offset)
        if url not in self.files:
            raise RemoteRefused
        body = self.files[url]
        sent = body[offset:][: self.cut_bytes]
        blocks = (sent[at : at + BLOCK_BYTES] for at in range(0, len(sent), BLOCK_BYTES))
        yield RemoteFile(_break_off(blocks, len(sent) < len(body) - offset), len(body), offset)


def _break_off(blocks: Iterator[bytes], is_cut: bool) -> Iterator[bytes]:  # noqa: FBT001  of this file alone
    yield from blocks
    if is_cut:
        raise RemoteUnavailable
