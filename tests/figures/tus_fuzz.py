"""Crash fuzz of resumable uploads: crashes at random steps, cut bodies, racing writers; what was lost.

python -m tests.figures.tus_fuzz [UPLOADS] [SEED]
"""

from __future__ import annotations

import itertools
import random
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
import structlog

from nextstream.adapters.database import SqlDatabase
from nextstream.adapters.database.migrations import migrate
from nextstream.adapters.storage_local import LocalStorage
from nextstream.adapters.storage_s3 import S3Storage
from nextstream.ports import Storage
from tests import servers, sites
from tests.crashes import Client, Fuse, World, faults

PART_BYTES = 64 * 1024
WRITERS = 8
PATH = "/api/v1/uploads/tus"


@dataclass
class Count:
    """What happened to one storage's uploads."""

    uploads: int = 0
    corrupt: int = 0


def main() -> None:
    uploads = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(10**6)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    print(f"{uploads} uploads for each storage, seed {seed}\n")
    print("| what | storage | uploads | crashes | cut bodies | corrupt | offsets backwards |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in ("folder", "S3"):
        with tempfile.TemporaryDirectory() as folder, storages(name, Path(folder)) as storage:
            crash(name, storage, Path(folder), uploads, random.Random(seed))
    with tempfile.TemporaryDirectory() as folder:
        race(Path(folder), max(10, uploads // 25), random.Random(seed))


@contextmanager
def storages(name: str, folder: Path) -> Iterator[Storage]:
    if name == "folder":
        local = LocalStorage.from_url((folder / "media").as_uri())
        local.multipart.sync_every_s = 0  # so that each part is a step
        yield local
        return
    with servers.rclone_s3(folder / "s3") as url:
        yield S3Storage.from_url(url)


def crash(name: str, storage: Storage, folder: Path, uploads: int, dice: random.Random) -> None:
    """Upload with servers that die at random steps."""
    url = f"sqlite:///{folder}/fuzz.db"
    migrate(url)
    world, count = World(storage, SqlDatabase(url)), Count()
    for _ in range(uploads):
        body = dice.randbytes(dice.randrange(1, 4 * PART_BYTES))
        some = (Fuse(dice.randrange(1, 60)) for _ in range(dice.randrange(1, 8)))
        upload = Client(world, body, PART_BYTES, dice).upload(itertools.chain(some, iter(Fuse, None)))
        count.uploads += 1
        count.corrupt += bool(faults(world, upload, body))
        storage.remove(f"videos/{upload.id}/")
    row = (count.uploads, world.crashes, world.cuts, count.corrupt, world.backwards)
    print(f"| crashes | {name} | {' | '.join(map(str, row))} |", flush=True)


def race(folder: Path, rounds: int, dice: random.Random) -> None:
    """Let writers of different bytes race for one upload, over two server processes."""
    corrupt = winners = 0
    with sites.run(folder, separate=False) as one, sites.run(folder, separate=False) as other:
        user = one.user()
        for _ in range(rounds):
            bodies = [bytes([65 + n]) * dice.randrange(1, 3 * 10**6) for n in range(WRITERS)]
            size = min(map(len, bodies))
            url = begin(user, size)
            places = [url, url.replace(one.url, other.url)]
            with ThreadPoolExecutor(WRITERS) as pool:
                sent = [
                    pool.submit(send, places[n % 2], user.token, body[:size])
                    for n, body in enumerate(bodies)
                ]
                won = [n for n, each in enumerate(sent) if each.result() == 204]
            winners += len(won) == 1
            stored = one.platform.storage.read(f"videos/{url.rpartition('/')[2]}/source")
            corrupt += len(won) != 1 or stored != bodies[won[0]][:size]
    print(f"| {WRITERS} writers, one won in {winners} | folder | {rounds} | | | {corrupt} | 0 |")


def begin(user: sites.Client, size: int) -> str:
    answer = user.post(PATH, headers={"Tus-Resumable": "1.0.0", "Upload-Length": str(size)})
    return str(answer.headers["Location"])


def send(url: str, token: str, body: bytes) -> int:
    headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Authorization": token}
    kind = {"Content-Type": "application/offset+octet-stream"}
    return requests.patch(url, data=body, headers={**headers, **kind}, timeout=120).status_code


if __name__ == "__main__":
    main()
