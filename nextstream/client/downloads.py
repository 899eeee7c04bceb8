"""Downloads: a rendition as one file, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

import requests

from nextstream.client.errors import NotYet, Unreachable
from nextstream.client.transport import Transport, pause_s, reaching
from nextstream.client.values import Download, Video, Visibility
from nextstream.client.videos import Videos

BLOCK_BYTES = 256 * 1024
TRIES = 5  # without a byte between them

Show = Callable[[int, int], None]


class Downloads:
    """Renditions as files."""

    def __init__(self, http: Transport, videos: Videos) -> None:
        self._http, self._videos = http, videos

    def save(
        self,
        video: Video,
        path: Path | str,
        *,
        rendition: str | None = None,
        show: Show = lambda *_: None,
    ) -> Path:
        """Save a rendition, the largest picture unless named, and give the file's path.

        `show` is told the bytes that are there and in all. Goes on after a cut, where the file is
        still the same. Raises NotYet where the video offers no such download.
        """
        path, url = Path(path), self._url(video, choose(video, rendition))
        new = path.with_name(f".{path.name}.part")
        try:
            with new.open("wb") as file:
                self._fetch(url, file, show)
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)
        return path

    def _url(self, video: Video, chosen: Download) -> str:
        """Give the address, by a ticket where the video is private."""
        if video.visibility is not Visibility.PRIVATE:
            return chosen.url
        prefix = self._videos.grant(video.id).hls.partition("/v/")[0]
        return f"{prefix}/v/{chosen.url.partition('/v/')[2]}"

    def _fetch(self, url: str, file: BinaryIO, show: Show) -> None:
        etag, fails = "", 0
        while True:
            before = file.tell()
            # With If-Range a file that is another one by now comes from its beginning.
            headers = {"Range": f"bytes={before}-", "If-Range": etag} if before and etag else {}
            answer = self._http.call("GET", url, headers=headers, stream=True)
            etag = answer.headers.get("ETag", "")
            try:
                _read(answer, file, show)
                return
            except Unreachable:
                fails = fails + 1 if file.tell() <= before else 0
                if fails >= TRIES:
                    raise
                self._http.sleep(pause_s(fails))


def choose(video: Video, rendition: str | None) -> Download:
    """Give the download of a rendition, or of the largest picture; raises NotYet."""
    rates = {each.name: (each.height or 0, each.size_bytes or 0) for each in video.renditions}
    fitting = [each for each in video.downloads if rendition in (None, each.rendition)]
    if not fitting:
        raise NotYet(f"The video has no download {rendition or 'yet'}.")
    return max(fitting, key=lambda each: rates.get(each.rendition, (0, 0)))


def _read(answer: requests.Response, file: BinaryIO, show: Show) -> None:
    """Read an answer into the file; raises Unreachable where it breaks off."""
    if answer.status_code != HTTPStatus.PARTIAL_CONTENT:
        file.seek(0)
        file.truncate()
    size_bytes = file.tell() + int(answer.headers.get("Content-Length", 0))
    with closing(answer), reaching(answer.url):
        for block in answer.iter_content(BLOCK_BYTES):
            file.write(block)
            show(file.tell(), size_bytes)
