"""200 slow uploads and 50 viewers at once: requests that failed, and how long a GET takes meanwhile.

Uploads go by tus at 50 KB/s each; viewers fetch playlists and segments as fast as they play. The same
small GETs are measured before, while nobody is there.

python -m tests.figures.crowd [SECONDS [UPLOADS [VIEWERS]]]
"""

from __future__ import annotations

import asyncio
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests import installation
from tests.conftest import MEDIA
from tests.installation import Installation

RATE_BYTES = 50_000  # a second, of each upload
STEPS_PER_S = 5
AHEAD = 2  # segments that a player fetches at once when it begins
SEGMENT_S = 6.0
SETTINGS = {"NEXTSTREAM_HEIGHTS": "720,360", "NEXTSTREAM_PRESET": "ultrafast"}
TUS = {"Tus-Resumable": "1.0.0"}
SOUND = re.compile(r'TYPE=AUDIO[^\n]*URI="([^"]+)"')
INIT = re.compile(r'MAP:URI="([^"]+)"')
MIB = 1024**2


@dataclass
class Crowd:
    """All clients, and what came of their requests."""

    host: str
    port: int
    token: str
    ends_at: float = 0.0
    took_ms: dict[str, list[float]] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    received_bytes: int = 0

    async def ask(
        self, what: str, method: str, path: str, headers: Mapping[str, str] | None = None, pace: int = 0
    ) -> tuple[dict[str, str], bytes]:
        """Send a request on a connection of its own, its body of `pace` seconds slowly."""
        begun = time.monotonic()
        try:
            status, head, body = await self._exchange(method, path, headers or {}, pace)
        except (OSError, asyncio.IncompleteReadError) as error:
            self.answers[f"{what} {type(error).__name__}"] += 1
            return {}, b""
        if status >= 400:
            self.answers[f"{what} {status}"] += 1
        self.took_ms.setdefault(what, []).append((time.monotonic() - begun) * 1000)
        self.received_bytes += len(body)
        return head, body

    async def _exchange(
        self, method: str, path: str, headers: Mapping[str, str], pace: int
    ) -> tuple[int, dict[str, str], bytes]:
        reader, writer = await asyncio.open_connection(self.host, self.port, limit=MIB)
        try:
            fields = {"Host": "localhost", "Authorization": f"Bearer {self.token}", **headers}
            if method in ("POST", "PATCH"):
                fields["Content-Length"] = str(pace * RATE_BYTES)
            lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in fields.items())]
            writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode())
            answer = asyncio.ensure_future(self._read(reader))
            await self._send(writer, pace, answer)
            return await answer
        finally:
            writer.close()

    async def _send(
        self, writer: asyncio.StreamWriter, pace: int, answer: asyncio.Future[object]
    ) -> None:
        step, begun = bytes(RATE_BYTES // STEPS_PER_S), time.monotonic()
        for number in range(pace * STEPS_PER_S):
            if answer.done():  # refused
                return
            writer.write(step)
            await writer.drain()
            await asyncio.sleep(max(0.0, begun + (number + 1) / STEPS_PER_S - time.monotonic()))

    async def _read(self, reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *rest = head.strip().split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)
        }
        body = (
            await reader.readexactly(int(headers["content-length"]))
            if "content-length" in headers
            else b""
        )
        return int(first.split()[1]), headers, body


async def upload(crowd: Crowd, seconds: int) -> None:
    """Send one file by tus, as our page does."""
    headers = {**TUS, "Upload-Length": str(seconds * RATE_BYTES), "Upload-Metadata": "filename YS5tcDQ="}
    created, _ = await crowd.ask("create", "POST", "/api/v1/uploads/tus", headers)
    if "location" not in created:
        return
    path = re.sub(r"^https?://[^/]+", "", created["location"])
    sends = {**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    sent, _ = await crowd.ask("upload", "PATCH", path, sends, seconds)
    if sent.get("upload-offset") != str(seconds * RATE_BYTES):
        crowd.answers["upload not whole"] += 1


async def watch(crowd: Crowd, video_id: str) -> None:
    """Play the picture and the sound of one video, over and over."""
    base = f"/v/{video_id}/"
    runs = [await run(crowd, base, playlist) for playlist in await choose(crowd, base)]
    number = 0
    while time.monotonic() < crowd.ends_at:
        for segments in runs:
            await crowd.ask("segment", "GET", segments[number % len(segments)])
        number += 1
        if number > AHEAD:
            await asyncio.sleep(SEGMENT_S)


async def choose(crowd: Crowd, base: str) -> tuple[str, str]:
    """Give the playlists of the best picture and of the sound."""
    text = await fetch(crowd, f"{base}master.m3u8")
    picture = next(line for line in text.splitlines() if line and line[0] != "#")
    return picture, SOUND.findall(text)[0]


async def run(crowd: Crowd, base: str, playlist: str) -> list[str]:
    """Fetch a playlist and its init segment, and give its segments."""
    text, folder = await fetch(crowd, base + playlist), base + playlist.rpartition("/")[0]
    await crowd.ask("segment", "GET", f"{folder}/{INIT.findall(text)[0]}")
    return [f"{folder}/{line}" for line in text.splitlines() if line.endswith(".m4s")]


async def fetch(crowd: Crowd, path: str) -> str:
    """Give a playlist; one that fails is counted, and asked for again as players do."""
    while True:
        _, body = await crowd.ask("playlist", "GET", path)
        if body.startswith(b"#EXTM3U"):
            return body.decode()
        await asyncio.sleep(1)


async def look(crowd: Crowd, video_id: str, what: str, every_s: float = 0.05) -> None:
    """Ask for a video's description, as our pages do."""
    while time.monotonic() < crowd.ends_at:
        await crowd.ask(what, "GET", f"/api/v1/videos/{video_id}")
        await asyncio.sleep(every_s)


async def later(wait_s: float, work: object) -> None:
    await asyncio.sleep(wait_s)
    await work  # type: ignore[misc]  # a coroutine


async def gather(crowd: Crowd, video_id: str, seconds: int, uploads: int, viewers: int) -> None:
    crowd.ends_at = time.monotonic() + 5
    await look(crowd, video_id, "GET, alone")
    crowd.ends_at = time.monotonic() + seconds
    # They come within three seconds, not in one instant.
    senders = [later(3 * n / uploads, upload(crowd, seconds)) for n in range(uploads)]
    watchers = [later(3 * n / viewers, watch(crowd, video_id)) for n in range(viewers)]
    await asyncio.gather(look(crowd, video_id, "GET"), *senders, *watchers)


def memory_mib(house: Installation) -> list[int]:
    """Give the resident MiB of each process of the gateway."""
    children = psutil.Process(house.process.pid).children(recursive=True)
    web = [each for each in children if "gateway.wsgi:app" in each.cmdline()]
    return [round(each.memory_info().rss / MIB) for each in web]


def main() -> None:
    seconds, uploads, viewers = map(int, [*sys.argv[1:], *("60", "200", "50")[len(sys.argv) - 1 :]])
    with (
        tempfile.TemporaryDirectory() as name,
        installation.running(Path(name, "data"), SETTINGS) as house,
    ):
        video = house.wait_ended(house.upload(MEDIA / "big-buck-bunny-1080p-30s.mp4")["id"])
        host, port = house.url.removeprefix("http://").split(":")
        crowd = Crowd(host, int(port), house.token())
        before, begun = memory_mib(house), time.monotonic()
        asyncio.run(gather(crowd, video["id"], seconds, uploads, viewers))
        report(crowd, time.monotonic() - begun)
        print(f"resident MiB of the gateway's processes before and after: {before}, {memory_mib(house)}")


def report(crowd: Crowd, took_s: float) -> None:
    print("| request | answers | p50, ms | p99, ms | longest, ms |")
    print("| --- | --- | --- | --- | --- |")
    for what, each in crowd.took_ms.items():
        cuts = statistics.quantiles(each, n=100, method="inclusive")
        print(f"| {what} | {len(each)} | {cuts[49]:.0f} | {cuts[98]:.0f} | {max(each):.0f} |")
    print(f"failed: {dict(crowd.answers) or 'none'}")
    print(f"downloaded {crowd.received_bytes / 1e6 / took_s:.1f} MB/s over {took_s:.0f} s")


if __name__ == "__main__":
    main()
