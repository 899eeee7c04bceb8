"""Upload of a 1 GiB file: MB/s and the peak memory of each process, raw PUT and multipart form.

python -m tests.figures.upload [SIZE_MIB]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from tests import installation
from tests.installation import Installation

MIB = 1024 * 1024


def main() -> None:
    size_mib = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    with tempfile.TemporaryDirectory() as folder, installation.running(Path(folder, "data")) as house:
        body = Path(folder, "body.mp4")
        with body.open("wb") as file:
            for _ in range(size_mib):
                file.write(b"\x00\x01\x02\x03" * (MIB // 4))
        token = house.token()
        print("| way | MB/s | process | before, MiB | peak, MiB |")
        print("| --- | --- | --- | --- | --- |")
        for way, arguments in {
            "raw PUT": ["-T", str(body), f"{house.url}/api/v1/uploads/"],
            "form": ["-F", f"file=@{body}", f"{house.url}/api/v1/uploads"],
        }.items():
            measure(house, way, arguments, token, size_mib)


def measure(house: Installation, way: str, arguments: list[str], token: str, size_mib: int) -> None:
    """Upload once, and print what it took."""
    before, peaks, done = memory(house), {}, threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            for name, rss in memory(house).items():
                peaks[name] = max(peaks.get(name, 0.0), rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    begun = time.monotonic()
    command = ["curl", "-fsS", "-o", "/dev/null", "-H", f"Authorization: Bearer {token}", *arguments]
    subprocess.run(command, check=True)
    took_s = time.monotonic() - begun
    done.set()
    watcher.join()
    speed = size_mib * MIB / took_s / 1e6
    for name, peak in sorted(peaks.items()):
        print(f"| {way} | {speed:.0f} | {name} | {before.get(name, 0):.0f} | {peak:.0f} |", flush=True)


def memory(house: Installation) -> dict[str, float]:
    """Give the resident MiB of every process of the installation."""
    found: dict[str, float] = {}
    parent = psutil.Process(house.process.pid)
    for process in [parent, *parent.children(recursive=True)]:
        try:
            words = [Path(word).name for word in process.cmdline()[:5]]
            rss = process.memory_info().rss / MIB
        except psutil.NoSuchProcess:
            continue
        found[f"{process.pid} {' '.join(words)[:60]}"] = rss
    return found


if __name__ == "__main__":
    main()
