"""What the gateway adds to its services: a small GET and a body of 100 MB, alone, mounted, proxied.

The same services three times in one run: as processes of their own that the client reaches itself, as
part of the gateway, and as other processes behind it; gunicorn as in production, one process each.

python -m tests.figures.gateway [REQUESTS]
"""

from __future__ import annotations

import http.client
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests import sites
from tests.sites import Client, Site

BODY_BYTES = 100 * 1000**2
BLOCK = bytes(256 * 1024)
ROUNDS = 5
WARM = 20  # requests that don't count, on each connection
WAYS = ("alone", "mounted", "proxied")


@dataclass
class Way:
    """One way to the services: where the API and the uploads are reached, and by whose token."""

    api: tuple[str, int]
    upload: tuple[str, int]
    token: str
    video_id: str
    pids: tuple[int, ...]  # of gunicorn's masters on the way to the API
    spent_s: float = 0.0  # of their workers' processor time, for the small requests

    def cpu_s(self) -> float:
        """Give the processor time that the servers have used so far."""
        workers = (child for pid in self.pids for child in psutil.Process(pid).children())
        return sum(times.user + times.system for times in (each.cpu_times() for each in workers))


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with tempfile.TemporaryDirectory() as name, opened(Path(name)) as ways:
        print("| | " + " | ".join(WAYS) + " |\n| --- | --- | --- | --- |")
        small = together(ways, lambda way: get(way, count // ROUNDS))
        spent = [ways[name].spent_s * 1000 / len(small[name]) for name in WAYS]
        for what, number in (("p50", 50), ("p99", 99)):
            cells = [statistics.quantiles(small[way], n=100)[number - 1] for way in WAYS]
            row(f"GET /api/v1/videos/ID, {what}, ms", cells, cells[0])
        row("its processor time in the servers, ms", spent, spent[0])
        for what, move in (("down", download), ("up, PUT", upload)):
            rates = together(ways, move)
            row(f"100 MB {what}, MB/s", [statistics.median(rates[way]) for way in WAYS])


@contextmanager
def opened(folder: Path) -> Iterator[dict[str, Way]]:
    """Run a gateway of each kind, with a file of 100 MB behind it."""
    for name in ("mounted", "separate"):
        (folder / name).mkdir()
    with (
        sites.run(folder / "mounted", separate=False) as mounted,
        sites.run(folder / "separate", separate=True) as separate,
    ):
        proxied = way_to(separate)
        api, uploads = (separate.services[name] for name in ("streaming", "upload"))
        pids = (separate.pids["streaming"],)
        alone = Way(api, uploads, proxied.token, proxied.video_id, pids)
        yield {"alone": alone, "mounted": way_to(mounted), "proxied": proxied}


def way_to(site: Site) -> Way:
    user: Client = site.user()
    video_id = user.upload()
    key = f"videos/{video_id}/v1/v720/00001.m4s"
    site.platform.storage.write(key, (BLOCK for _ in range(BODY_BYTES // len(BLOCK))), "video/mp4")
    pids = tuple(site.pids[name] for name in ("gateway", "streaming") if name in site.pids)
    return Way(site.address, site.address, user.token, video_id, pids)


def together(ways: dict[str, Way], measure: Callable[[Way], list[float]]) -> dict[str, list[float]]:
    """Measure each way in turn, again and again, so that what the machine does besides hits all."""
    found: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(ROUNDS):
        for name in WAYS:
            found[name] += measure(ways[name])
    return found


def get(way: Way, count: int) -> list[float]:
    """Give the milliseconds of each of so many requests, on one connection."""
    connection, took_ms = http.client.HTTPConnection(*way.api, timeout=60), list[float]()
    headers = {"Authorization": way.token}
    for number in range(count + WARM):
        if number == WARM:
            way.spent_s -= way.cpu_s()
        begun = time.perf_counter()
        connection.request("GET", f"/api/v1/videos/{way.video_id}", headers=headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        if number >= WARM:
            took_ms.append((time.perf_counter() - begun) * 1000)
    way.spent_s += way.cpu_s()
    connection.close()
    return took_ms


def download(way: Way) -> list[float]:
    connection = http.client.HTTPConnection(*way.api, timeout=60)
    begun = time.perf_counter()
    connection.request("GET", f"/v/{way.video_id}/v1/v720/00001.m4s")
    answer, received, block = connection.getresponse(), 0, bytearray(len(BLOCK))
    while count := answer.readinto(block):
        received += count
    took_s = time.perf_counter() - begun
    connection.close()
    assert (answer.status, received) == (200, BODY_BYTES // len(BLOCK) * len(BLOCK))
    return [received / 1e6 / took_s]


def upload(way: Way) -> list[float]:
    head = (
        f"PUT /api/v1/uploads/a.mp4 HTTP/1.1\r\nHost: localhost\r\nAuthorization: {way.token}\r\n"
        f"Content-Length: {BODY_BYTES}\r\nConnection: close\r\n\r\n"
    )
    begun, left = time.perf_counter(), BODY_BYTES
    with socket.create_connection(way.upload, timeout=60) as connection:
        connection.sendall(head.encode())
        while left:
            connection.sendall(BLOCK[:left])
            left -= min(left, len(BLOCK))
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 201"), answer
    return [BODY_BYTES / 1e6 / (time.perf_counter() - begun)]


def row(what: str, cells: list[float], base: float = 0.0) -> None:
    digits = 2 if cells[0] < 50 else 0
    added = [f" ({cell - base:+.{digits}f})" if base and cell != base else "" for cell in cells]
    print(
        f"| {what} | "
        + " | ".join(f"{c:.{digits}f}{a}" for c, a in zip(cells, added, strict=True))
        + " |"
    )


if __name__ == "__main__":
    main()
