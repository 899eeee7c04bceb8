"""Uploads: files by tus 1.0, which go on after a cut and after a restart; URLs; direct upload URLs."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypedDict, Unpack

from nextstream.client.errors import ClientError, FileChanged, Refused
from nextstream.client.transport import Transport, new_key, part, pause_s, said
from nextstream.client.unfinished import Begun, Unfinished
from nextstream.client.values import DirectUpload, Priority, Video, Visibility, read

VERSION = {"Tus-Resumable": "1.0.0"}
BODY_TYPE = "application/offset+octet-stream"
BLOCK_BYTES = 256 * 1024
TRIES = 10  # without a byte between them: a server that restarts is waited for about two minutes
GONE = (404, 410)

Show = Callable[[int, int], None]


@dataclass(frozen=True)
class _File:
    """A file from a byte on, as the body of a request; `show` is told how far it is."""

    path: Path
    offset: int
    size_bytes: int
    show: Show

    def __len__(self) -> int:
        return self.size_bytes - self.offset

    def __iter__(self) -> Iterator[bytes]:
        sent = self.offset
        with self.path.open("rb") as file:
            file.seek(sent)
            while sent < self.size_bytes:
                block = file.read(min(BLOCK_BYTES, self.size_bytes - sent))
                if not block:
                    raise FileChanged(f"{self.path} has become shorter while it was sent.")
                yield block
                sent += len(block)
                self.show(sent, self.size_bytes)


class Wishes(TypedDict, total=False):
    """What every way of upload may ask for; what isn't said, or None, is the server's choice."""

    title: str | None
    visibility: Visibility | str | None
    priority: Priority | str | None
    encryption: Literal["none", "aes-128"] | None


class Uploads:
    """Ways for a video to get in; `unfinished` remembers uploads for another run of the program."""

    def __init__(self, http: Transport, unfinished: Unfinished) -> None:
        self._http, self._unfinished = http, unfinished

    def send(
        self,
        path: Path | str,
        *,
        show: Show = lambda *_: None,
        **wishes: Unpack[Wishes],
    ) -> Video:
        """Send a file and give its video, which the server then encodes.

        `show` is told the bytes sent and in all; after a cut it begins again at what the server has.
        Goes on where an earlier call for the same file, unchanged, was when it ended. Raises Refused,
        Unreachable after some minutes, FileChanged, OSError.
        """
        path = Path(path)
        facts = {name: str(wish) for name, wish in {"filename": path.name, **wishes}.items() if wish}
        video_id = self._send(f"{self._http.url}/api/v1/uploads/tus", path, facts, show)
        return read(Video, self._http.json("GET", f"/api/v1/videos/{part(video_id)}"))

    def send_to(self, url: str, path: Path | str, *, show: Show = lambda *_: None) -> str:
        """Send a file to a direct upload URL, which needs no login; gives its video's id. As `send`."""
        return self._send(url, Path(path), {}, show)

    def fetch(self, url: str, *, filename: str | None = None, **wishes: Unpack[Wishes]) -> Video:
        """Have the server fetch a file from a URL; the video tells how it goes."""
        body = said({"url": url, "filename": filename, **wishes})
        return read(Video, self._http.json("POST", "/api/v1/uploads/import", json=body, key=new_key()))

    def order(
        self,
        *,
        filename: str = "video",
        max_bytes: int | None = None,
        expires_s: int | None = None,
        **wishes: Unpack[Wishes],
    ) -> DirectUpload:
        """Get a direct upload URL, to hand to who has the file."""
        limits = {"max_bytes": max_bytes, "expires_s": expires_s}
        body = said({"filename": filename, **limits, **wishes})
        answer = self._http.json("POST", "/api/v1/uploads/direct", json=body, key=new_key())
        return read(DirectUpload, answer)

    def _send(self, endpoint: str, path: Path, facts: dict[str, str], show: Show) -> str:
        stat = path.stat()
        said = (endpoint, str(path.resolve()), stat.st_size, stat.st_mtime_ns)
        mark = hashlib.sha256(repr(said).encode()).hexdigest()
        file = _File(path, 0, stat.st_size, show)
        begun = self._unfinished.find(mark)
        try:
            return self._go_on(mark, begun or self._begin(endpoint, mark, file, facts), file)
        except Refused as error:
            if not (begun and error.status in GONE):
                raise
        return self._go_on(mark, self._begin(endpoint, mark, file, facts), file)

    def _begin(self, endpoint: str, mark: str, file: _File, facts: dict[str, str]) -> Begun:
        """Begin an upload, and remember it before its first byte."""
        metadata = ",".join(
            f"{name} {b64encode(text.encode()).decode()}" for name, text in facts.items()
        )
        headers = {**VERSION, "Upload-Length": str(file.size_bytes), "Upload-Metadata": metadata}
        answer = self._http.call("POST", endpoint, headers=headers, key=new_key(), tries=TRIES)
        begun = Begun(answer.headers["Location"], answer.headers["X-Video-ID"])
        self._unfinished.note(mark, begun)
        return begun

    def _go_on(self, mark: str, begun: Begun, file: _File) -> str:
        """Send what the server doesn't have, and give the video's id."""
        try:
            self._append(begun.url, replace(file, offset=self._offset(begun.url)))
        except Refused as error:
            if not error.retryable and error.status not in (401, 403):
                self._unfinished.forget(mark)  # it won't be taken later either
            raise
        self._unfinished.forget(mark)
        return begun.video_id

    def _append(self, url: str, file: _File) -> None:
        """Send what is missing; after a cut, from the byte on that the server has."""
        fails = 0
        while len(file):
            file.show(file.offset, file.size_bytes)
            headers = {**VERSION, "Upload-Offset": str(file.offset), "Content-Type": BODY_TYPE}
            try:
                self._http.call("PATCH", url, headers=headers, data=file, tries=1)
                return
            except ClientError as error:
                if not (error.retryable or _is_elsewhere(error)):
                    raise
                offset = self._offset(url)
                fails = fails + 1 if offset <= file.offset else 0
                if fails >= TRIES:
                    raise
                file = replace(file, offset=offset)
                self._http.sleep(pause_s(fails))

    def _offset(self, url: str) -> int:
        answer = self._http.call("HEAD", url, headers=VERSION, tries=TRIES)
        return int(answer.headers["Upload-Offset"])


def _is_elsewhere(error: ClientError) -> bool:
    """Tell a server that is at another byte than we are."""
    return isinstance(error, Refused) and error.code == "offset_conflict"
