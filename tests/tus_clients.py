"""Clients that people use for tus, unmodified, and a way between them and a server that breaks off."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from playwright.sync_api import sync_playwright
from tusclient.client import TusClient

from tests.e2e import player

BLOCK_BYTES = 256 * 1024
CHUNK_BYTES = 32 * 1024**2  # that tuspy, which can't go on within a request, reads into memory

_NODE = """
const tus = require(process.argv[2] + "/tus-js-client");
const fs = require("fs");
const { endpoint, path, headers, options } = JSON.parse(process.argv[3]);
const upload = new tus.Upload(fs.createReadStream(path), {
  endpoint, headers, retryDelays: Array(200).fill(200), metadata: { filename: "film.mp4" }, ...options,
  onError: (error) => { console.error(String(error)); process.exit(1); },
  onSuccess: () => console.log(upload.url),
});
upload.start();
"""

_UPPY = """
import Uppy from "@uppy/core";
import Tus from "@uppy/tus";
import AwsS3 from "@uppy/aws-s3";
window.startUppy = (plugin, options) => new Promise((resolve, reject) => {
  const uppy = new Uppy({ autoProceed: true });
  uppy.use({ Tus, AwsS3 }[plugin], options);
  uppy.on("complete", ({ successful, failed }) =>
    successful.length ? resolve(successful[0].uploadURL) : reject(failed[0].error));
  const file = document.getElementById("file").files[0];
  uppy.addFile({ name: file.name, type: file.type, data: file });
});
"""


class Cutter:
    """Passes bytes between clients and a server, and resets all connections after given amounts.

    From `hold_at_bytes` on, what goes up waits for `go_on`, for who has to do something meanwhile.
    """

    hold_at_bytes: int | None = None

    def __init__(self, server: tuple[str, int], cuts: Sequence[int] = ()) -> None:
        self._server, self._cuts = server, list(cuts)
        self._lock, self._pairs = threading.Lock(), set[socket.socket]()
        self.passed_bytes = self.cut = 0
        self.go_on = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._listener.close()
        self._reset()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._server, timeout=60)
            except OSError:  # it is being started again
                client.close()
                continue
            with self._lock:
                self._pairs |= {client, server}
            threading.Thread(target=self._join, args=(client, server), daemon=True).start()

    def _join(self, client: socket.socket, server: socket.socket) -> None:
        """Pass bytes both ways until either side ends, and close both.

        A socket that is only shut down goes on taking bytes until its buffer is full, and whoever sends
        them waits for ever.
        """
        back = threading.Thread(target=self._pass, args=(server, client, False), daemon=True)
        back.start()
        self._pass(client, server, upwards=True)
        back.join()
        with self._lock:
            self._pairs -= {client, server}
        client.close()
        server.close()

    def _pass(self, source: socket.socket, sink: socket.socket, upwards: bool) -> None:
        with suppress(OSError):
            while block := source.recv(BLOCK_BYTES):
                sink.sendall(block)
                if upwards and self._count(len(block)):
                    self._reset()
                if upwards and self.hold_at_bytes and self.passed_bytes >= self.hold_at_bytes:
                    self.go_on.wait()
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _count(self, size_bytes: int) -> bool:
        with self._lock:
            self.passed_bytes += size_bytes
            if not self._cuts or self.passed_bytes < self._cuts[0]:
                return False
            self._cuts.pop(0)
            self.cut += 1
            return True

    def _reset(self) -> None:
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for end in pairs:
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def tus_js(
    modules: Path, endpoint: str, path: Path, headers: Mapping[str, str], **options: object
) -> str:
    """Upload by tus-js-client in Node; gives the upload's address."""
    what = json.dumps({"endpoint": endpoint, "path": str(path), "headers": headers, "options": options})
    script = ["node", "-e", _NODE, "--", str(modules), what]
    # Behind -e and --, the arguments begin where a script's own name would be.
    done = subprocess.run(
        [*script[:3], "--", "tus", *script[4:]], capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def tuspy(endpoint: str, path: Path, headers: Mapping[str, str], **options: object) -> str:
    """Upload by tuspy; gives the upload's address."""
    client = TusClient(endpoint, headers=dict(headers))
    given = {"chunk_size": CHUNK_BYTES, "retries": 200, "retry_delay": 0.2, **options}
    uploader = client.uploader(str(path), metadata={"filename": "film.mp4"}, **given)  # type: ignore[arg-type]
    uploader.upload()
    return str(uploader.url)


def bundle(modules: Path, folder: Path) -> Path:
    """Give Uppy as one script for a page."""
    source, made = folder / "uppy.mjs", folder / "uppy.js"
    source.write_text(_UPPY)
    command = [modules / ".bin" / "esbuild", source, "--bundle", f"--outfile={made}", "--format=iife"]
    env = {"NODE_PATH": str(modules), "PATH": "/usr/bin:/bin:/usr/local/bin"}
    subprocess.run(command, check=True, capture_output=True, timeout=120, env=env)
    return made


def uppy(script: Path, page_url: str, plugin: str, path: Path, **options: object) -> str:
    """Upload by Uppy in Chromium, from a page of any site; gives where it says the file is."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=player.CHROMIUM, args=player.ARGUMENTS)
        page = browser.new_page(bypass_csp=True)
        page.set_default_timeout(900_000)
        page.goto(page_url)
        page.set_content('<input type="file" id="file">')
        page.add_script_tag(path=script)
        page.locator("#file").set_input_files(path)
        given = {"retryDelays": [200] * 200, **options} if plugin == "Tus" else options
        url = page.evaluate("([plugin, options]) => window.startUppy(plugin, options)", [plugin, given])
        browser.close()
    return str(url)


@contextmanager
def cutting(server: tuple[str, int], cuts: Sequence[int] = ()) -> Iterator[Cutter]:
    """Give a way to a server for the block."""
    cutter = Cutter(server, cuts)
    try:
        yield cutter
    finally:
        cutter.close()


def wait_until(happens: object, wait_s: float = 60, every_s: float = 0.05) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + wait_s
    while not happens() and time.monotonic() < deadline:  # type: ignore[operator]  # a function of any kind
        time.sleep(every_s)
