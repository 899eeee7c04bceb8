"""Seconds from the end of an upload until a video plays, and until it is ready, by its length.

python -m tests.figures.first_playable [--minutes 1,5,20] [--slots 2] [--only-playable]
    [--container mp4] [FILE]

The sources are the clip, looped without encoding it anew. A player's first request of the master
that is answered counts as playable; it asks 20 times a second. With --only-playable each video is
removed then, as the rest of the encode takes minutes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import requests

from tests import installation, sources
from tests.conftest import MEDIA
from tests.installation import Installation

ASK_EVERY_S = 0.05


def main() -> None:
    wish = argparse.ArgumentParser(description=__doc__)
    wish.add_argument("--minutes", default="1,5,20")
    wish.add_argument("--slots", default="2")
    wish.add_argument("--only-playable", action="store_true")
    wish.add_argument("--container", default="mp4", help="mp4, mkv, ts, flv, avi")
    wish.add_argument("file", nargs="?", type=Path, default=MEDIA / "big-buck-bunny-1080p-30s.mp4")
    chosen = wish.parse_args()
    env = {"NEXTSTREAM_WORKER_SLOTS": chosen.slots}
    with (
        tempfile.TemporaryDirectory() as folder,
        installation.running(Path(folder, "data"), env) as house,
    ):
        measure(house, loop(chosen.file, Path(folder, "warm.mp4"), 10), only_playable=True)
        print("| source, min | MiB | playable after, s | ready after, s | times the shortest |")
        print("| --- | --- | --- | --- | --- |")
        shortest = 0.0
        for minutes in (float(each) for each in chosen.minutes.split(",")):
            source = loop(chosen.file, Path(folder, f"source.{chosen.container}"), 60 * minutes)
            playable_s, ready_s = measure(house, source, only_playable=chosen.only_playable)
            shortest = shortest or playable_s
            size, ready = source.stat().st_size / 1024**2, f"{ready_s:.1f}" if ready_s else "-"
            row = f"{minutes:g} | {size:.0f} | {playable_s:.2f} | {ready} | {playable_s / shortest:.2f}"
            print(f"| {row} |", flush=True)


def loop(clip: Path, path: Path, seconds: float) -> Path:
    """Make a source of this length without encoding anything."""
    sources.run("-stream_loop", "-1", "-i", clip, "-t", seconds, "-c", "copy", path)
    return path


def measure(house: Installation, source: Path, *, only_playable: bool) -> tuple[float, float | None]:
    """Give the seconds from the end of an upload to its first playlist, and to the end."""
    video_id = house.upload(source)["id"]
    uploaded = time.monotonic()
    while not requests.get(f"{house.url}/v/{video_id}/master.m3u8", timeout=30).ok:
        time.sleep(ASK_EVERY_S)
    playable_s = time.monotonic() - uploaded
    if only_playable:
        address = f"{house.url}/api/v1/videos/{video_id}"
        requests.delete(address, headers=house.headers(), timeout=60).raise_for_status()
        wait_idle(house)
        return playable_s, None
    ended: dict[str, Any] = house.wait_ended(video_id, wait_s=3600)
    assert ended["state"] == "ready", ended
    return playable_s, time.monotonic() - uploaded


def wait_idle(house: Installation) -> None:
    """Wait until no encoder of a video that was removed takes the next one's time."""
    family = psutil.Process(house.process.pid)
    while any("ffmpeg" in each.name() for each in family.children(recursive=True)):
        time.sleep(ASK_EVERY_S)


if __name__ == "__main__":
    main()
