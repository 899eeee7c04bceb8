"""CPU of a whole job with metrics and traces over that without them; median of 3 runs.

    python -m tests.figures.telemetry [FILE] [RUNS]

The job is everything `make up` runs, from the upload's first byte to `ready`: the clip with all its
rungs, and a film of the same length in one tiny rung, so that what telemetry costs can be told from
what an encode's CPU differs by from run to run. The collector isn't counted. Where control groups can
be made (version 1, as root) the rest of the machine isn't either; else it has to be quiet.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests import collector, installation, servers, sources
from tests.conftest import MEDIA
from tests.figures.cpu import cpu_s
from tests.installation import Installation

TINY = {"NEXTSTREAM_HEIGHTS": "90", "NEXTSTREAM_PRESET": "ultrafast"}
MODES = ("off", "metrics", "metrics and traces")
GROUP = Path("/sys/fs/cgroup/cpuacct/nextstream-figure")


def main() -> None:
    with suppress(OSError):
        GROUP.mkdir()
        (GROUP / "cgroup.procs").write_text(str(os.getpid()))  # and all that this process starts
    try:
        report()
    finally:
        with suppress(OSError):
            (GROUP.parent / "cgroup.procs").write_text(str(os.getpid()))
            GROUP.rmdir()


def report() -> None:
    clip = Path(sys.argv[1] if len(sys.argv) > 1 else MEDIA / "big-buck-bunny-1080p-30s.mp4")
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    found: dict[str, list[tuple[float, float]]] = {mode: [] for mode in MODES}
    print("| run | telemetry | whole job, CPU s | over off | tiny job, CPU s | over off |")
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        film = sources.steady(Path(folder, "steady.mp4"), seconds=30)
        for run in range(1, runs + 1):
            for mode in MODES if run % 2 else reversed(MODES):  # none always comes first
                tiny_s = measure({**settings(mode), **TINY}, film, film)
                found[mode].append((measure(settings(mode), clip, film), tiny_s))
                whole_s, _ = found[mode][-1]
                print(f"| {run} | {mode} | {whole_s:.2f} | | {tiny_s:.2f} | |", flush=True)
    medians = {
        mode: [statistics.median(each) for each in zip(*found[mode], strict=True)] for mode in MODES
    }
    for mode, (whole_s, tiny_s) in medians.items():
        over, over_tiny = whole_s / medians["off"][0], tiny_s / medians["off"][1]
        print(f"| median | {mode} | {whole_s:.2f} | {over:.3f} | {tiny_s:.2f} | {over_tiny:.3f} |")


def measure(env: Mapping[str, str], film: Path, first: Path) -> float:
    """Give the CPU seconds of one job in an installation of its own, which has done another before."""
    with tempfile.TemporaryDirectory() as folder, collector.running() as traces:
        chosen = {name: value or traces.url for name, value in env.items()}
        with installation.running(Path(folder, "data"), chosen) as house:
            job_s(house, first)
            return job_s(house, film)


def settings(mode: str) -> Mapping[str, str]:
    """Give what switches telemetry on; the collector's address is still to come."""
    port = {"NEXTSTREAM_METRICS_PORT": str(servers.free_port())}
    traces = {"NEXTSTREAM_TRACING_URL": ""} if mode == "metrics and traces" else {}
    return {**(port if mode != "off" else {}), **traces}


def job_s(house: Installation, clip: Path) -> float:
    """Give the CPU seconds of the machine for one video, but for this process's own."""
    before, own = used_s(), time.process_time()
    video = house.upload(clip)
    ended = house.wait_ended(video["id"], wait_s=600, every_s=1.0)
    assert ended["state"] == "ready", ended
    time.sleep(2.0)  # until the last spans have gone
    return used_s() - before - (time.process_time() - own)


def used_s() -> float:
    """Give the CPU seconds of the group so far, in a sandbox or not, else those of the machine."""
    usage = GROUP / "cpuacct.usage"
    return int(usage.read_text()) / 1e9 if usage.exists() else cpu_s()


if __name__ == "__main__":
    main()
