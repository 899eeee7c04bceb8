"""tus-js-client, tuspy and Uppy upload to NextStream and to @tus/server; then over a bad connection.

The bad one is cut ten times, and the server is killed and started again once in the middle. With `s3`
NextStream's storage is an S3 server of this machine, which then has the bytes twice to move.

Only NextStream's bytes are on the disk when it says so: @tus/server leaves that to the system.

python -m tests.figures.tus_clients [SIZE_MIB [s3]]
"""

from __future__ import annotations

import hashlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil
import requests

from nextstream import wiring
from nextstream.domain.accounts import Role
from nextstream.ports import Platform
from nextstream.services import accounts
from nextstream.settings import PREFIX, Settings
from tests import npm, servers, tus_clients

MIB = 1024**2
CUTS = 10
ROUNDS = 3  # with each of the two servers in turn
PATH = "/api/v1/uploads/tus"
PASSWORD = "correct horse battery"

_NODE_SERVER = """
const { Server } = require(process.argv[2] + "/@tus/server");
const { FileStore } = require(process.argv[2] + "/@tus/file-store");
const server = new Server({ path: "/files", datastore: new FileStore({ directory: process.argv[4] }) });
server.listen({ host: "127.0.0.1", port: Number(process.argv[3]) });
"""

Upload = Callable[[str, dict[str, str]], str]


@dataclass
class House:
    """A NextStream of one gateway with two processes, over a folder, that can be killed."""

    folder: Path
    storage_url: str = ""
    port: int = field(default_factory=servers.free_port)
    process: subprocess.Popen[bytes] | None = None
    platform: Platform | None = None
    token: str = ""
    workers: list[psutil.Process] = field(default_factory=list)
    # Programs die with the thread that started them, so this one lives as long as we do.
    starter: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    def start(self) -> None:
        env = {"DATA_DIR": str(self.folder), "REDIS_URL": wiring.MEMORY, "FFMPEG": wiring.MEMORY}
        env |= {"STORAGE_URL": self.storage_url} if self.storage_url else {}
        chosen = {**env, "SECRET_KEY": "k" * 40, "LOG_LEVEL": "WARNING", "CORS_ORIGINS": "*"}
        variables = {
            f"{PREFIX}{name}": value for name, value in {**chosen, "ACCESS_TOKEN_S": "9999"}.items()
        }
        if self.platform is None:
            settings = Settings.read(variables)
            wiring.migrate(settings)
            self.platform = wiring.build(settings)
        options = [
            "--worker-class",
            "web.worker.Worker",
            "--workers",
            "2",
            "--threads",
            "64",
            "--no-control-socket",
        ]
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "gateway.wsgi:app",
            "--bind",
            f"127.0.0.1:{self.port}",
        ]
        with (self.folder / "gateway.log").open("ab") as log:
            self.process = servers.start([*command, *options], log.fileno(), env=variables)
        tus_clients.wait_until(lambda: servers.listens(self.port))

    def log_in(self) -> None:
        assert self.platform
        accounts.add(self.platform, "figures", PASSWORD, Role.UPLOADER)
        body = {"name": "figures", "password": PASSWORD}
        answer = requests.post(f"http://127.0.0.1:{self.port}/api/v1/auth/login", json=body, timeout=60)
        for _ in range(20):  # both processes have built their app then
            requests.get(f"http://127.0.0.1:{self.port}/healthz", timeout=60)
        self.token = f"Bearer {answer.json()['access_token']}"

    def kill(self) -> None:
        """Kill all processes at once, and start them again."""
        assert self.process
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGKILL)  # first: it would start others
        for child in children:
            child.kill()
        self.process.wait()
        self.start()

    def memory_mib(self) -> float:
        """Give the resident memory of the largest process."""
        assert self.process
        try:
            if not self.workers:  # to look for them takes long
                self.workers = psutil.Process(self.process.pid).children()
            return max((each.memory_info().rss for each in self.workers), default=0) / MIB
        except psutil.NoSuchProcess:
            self.workers = []
            return 0.0


def main() -> None:
    size_mib = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    modules = npm.modules()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, url = Path(name), ""
        if "s3" in sys.argv:
            url = stack.enter_context(servers.rclone_s3(folder / "s3"))
        film, digest = make(folder / "film.mp4", size_mib)
        script = tus_clients.bundle(modules, folder)
        house = House(folder / "data", url)
        house.folder.mkdir()
        house.starter.submit(house.start).result()
        house.log_in()
        try:
            with node(modules, folder / "node") as other:
                run(house, (other, folder / "node"), clients(modules, script, film), digest, size_mib)
        finally:
            servers.end(house.process)  # type: ignore[arg-type]  # it runs


def make(path: Path, size_mib: int) -> tuple[Path, str]:
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(size_mib):
            block = os.urandom(MIB)
            digest.update(block)
            file.write(block)
    return path, digest.hexdigest()


@contextmanager
def node(modules: Path, folder: Path) -> Iterator[str]:
    """Run @tus/server over a folder; gives its endpoint."""
    folder.mkdir()

    def command(port: int) -> list[str | Path]:
        return ["node", "-e", _NODE_SERVER, "--", "tus", str(modules), str(port), str(folder)]

    with servers.serve(command) as port:
        yield f"http://127.0.0.1:{port}/files"


def clients(modules: Path, script: Path, film: Path) -> dict[str, Upload]:
    def uppy(endpoint: str, headers: dict[str, str]) -> str:
        page = endpoint.replace(PATH, "/healthz")
        return tus_clients.uppy(script, page, "Tus", film, endpoint=endpoint, headers=headers)

    return {
        "tus-js-client": lambda endpoint, headers: tus_clients.tus_js(modules, endpoint, film, headers),
        "tuspy": lambda endpoint, headers: tus_clients.tuspy(endpoint, film, headers),
        "Uppy": uppy,
    }


def run(
    house: House, node: tuple[str, Path], ways: dict[str, Upload], digest: str, size_mib: int
) -> None:
    other, others = node
    print("| client | server | MB/s | times @tus/server | cuts | kills | identical | peak MiB |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    step, runner = size_mib * MIB // (CUTS + 1), Runner(house, others, digest, size_mib)
    direct, headers = f"http://127.0.0.1:{house.port}{PATH}", {"Authorization": house.token}
    for client, upload in ways.items():
        theirs, ours = list[float](), list[float]()
        for _ in range(ROUNDS):
            theirs.append(runner.measure(partial(upload, other, {}), is_ours=False))
            ours.append(runner.measure(partial(upload, direct, headers)))
        show(client, "@tus/server", f"{told(theirs)} | | 0 | 0 | |")
        ratio = statistics.median(ours) / statistics.median(theirs)
        show(client, "NextStream", f"{told(ours)} | {ratio:.2f} | 0 | 0 | {runner.ending()}")
        cuts = [step * n for n in range(1, CUTS + 1)]
        with tus_clients.cutting(("127.0.0.1", house.port), cuts) as way:
            # Between two cuts: at one, the server has just let go of the upload.
            at_bytes = cuts[CUTS // 2] + step // 2
            killer = threading.Thread(target=kill, args=(house, way, at_bytes))
            killer.start()
            pace = runner.measure(partial(upload, way.url + PATH, headers))
            killer.join()
            show(client, "NextStream, cut", f"{pace:.0f} | | {way.cut} | 1 | {runner.ending()}")


def told(paces: list[float]) -> str:
    """Give the median, and all of them."""
    return f"{statistics.median(paces):.0f} ({', '.join(f'{pace:.0f}' for pace in paces)})"


def show(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def kill(house: House, way: tus_clients.Cutter, at_bytes: int) -> None:
    tus_clients.wait_until(lambda: way.passed_bytes >= at_bytes, 900, 0.005)
    house.starter.submit(house.kill).result()


@dataclass
class Runner:
    """Uploads one after the other, each on a disk that has nothing left of the one before.

    Files that stay keep the memory that is warm: fresh pages of a virtual machine cost far more.
    """

    house: House
    others: Path
    digest: str
    size_mib: int
    peak_mib: float = 0.0
    same: bool = True

    def measure(self, upload: Callable[[], str], *, is_ours: bool = True) -> float:
        """Give the MB/s of an upload; of ours, look at the memory meanwhile and at what came of it."""
        os.sync()
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(done,))
        watcher.start()
        begun = time.monotonic()
        url = upload()
        took_s = time.monotonic() - begun
        done.set()
        watcher.join()
        if is_ours:
            self.same &= stored(self.house, url) == self.digest
        for file in self.others.iterdir():
            file.unlink()
        return self.size_mib * MIB / took_s / 1e6

    def ending(self) -> str:
        """Give whether all of ours were identical, and the peak so far of a process."""
        return f"{'yes' if self.same else 'NO'} | {self.peak_mib:.0f}"

    def _watch(self, done: threading.Event) -> None:
        while not done.wait(0.2):
            self.peak_mib = max(self.peak_mib, self.house.memory_mib())


def stored(house: House, url: str) -> str:
    """Give the digest of what a video's source holds, and remove it: the disk is small."""
    assert house.platform
    video_id, digest = url.rpartition("/")[2], hashlib.sha256()
    for block in house.platform.storage.stream(f"videos/{video_id}/source"):
        digest.update(block)
    house.platform.storage.remove(f"videos/{video_id}/")
    return digest.hexdigest()


if __name__ == "__main__":
    main()
