"""Hostile files against the probe: what each became, how long it took, who was called, what leaked.

    python -m tests.figures.hostile

Bytes leak when another user's film is read, which the kernel notes in its time of access.
"""

from __future__ import annotations

import logging
import socket
import sys
import tempfile
import time
from pathlib import Path

import structlog

from nextstream.adapters import sandbox
from tests import hostile, sources
from tests.figures import corpus

FILES = {**hostile.FILES, "100,000 tracks": lambda *_: hostile.tracks(100_000)}


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    obstacle = sandbox.obstacle(sources.tools().ffmpeg)
    print(f"bubblewrap: {obstacle or 'works'}\n")
    print("| file | size | became | s | calls | bytes leaked |\n| --- | --- | --- | --- | --- | --- |")
    worst = 0
    for name, make in FILES.items():
        with tempfile.TemporaryDirectory() as place, socket.create_server(("127.0.0.1", 0)) as server:
            folder, port = Path(place), server.getsockname()[1]
            source = folder / "source"
            source.write_bytes(make(folder, port))
            other = hostile.victim(folder)
            hostile.leave(other)
            begun = time.monotonic()
            video = corpus.transcode(source)
            took_s = time.monotonic() - begun
            calls = count_calls(server)
            became = video.failure.code if video.failure else video.state
            leaked = other.stat().st_size if hostile.was_read(other) else 0
            worst += calls + leaked
            size = source.stat().st_size
            print(f"| {name} | {size} | {became} | {took_s:.1f} | {calls} | {leaked} |", flush=True)
    print(f"\n{worst} calls and leaks")
    sys.exit(worst > 0)


def count_calls(server: socket.socket) -> int:
    server.setblocking(False)
    calls = 0
    while True:
        try:
            server.accept()[0].close()
        except BlockingIOError:
            return calls
        calls += 1


if __name__ == "__main__":
    main()
