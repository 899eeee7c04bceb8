"""CPU of a whole job over the CPU of one plain ffmpeg that makes the same rungs; median of 3 runs.

    python -m tests.figures.cpu [FILE] [RUNS]

The whole job is everything `make up` runs, from the upload's first byte to `ready`: with a poster and
a storyboard, and without. Each run does the three things in turn.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

from nextstream.adapters.encoder import FfmpegEncoder
from nextstream.domain import codecs, ladder, plan
from nextstream.domain.plan import Plan
from nextstream.settings import Settings
from tests import installation, sources
from tests.conftest import MEDIA
from tests.installation import Installation


def main() -> None:
    clip = Path(sys.argv[1] if len(sys.argv) > 1 else MEDIA / "big-buck-bunny-1080p-30s.mp4")
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    print(
        "| run | previews | whole job, CPU s | plain ffmpeg, CPU s | ratio | upload's end to ready, s |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    ratios: dict[str, list[float]] = {"true": [], "false": []}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        houses = {on: stack.enter_context(start(folder / on, on)) for on in ratios}
        for run in range(1, runs + 1):
            order = sorted(houses, reverse=bool(run % 2))  # neither always comes first
            jobs = {on: whole_job(houses[on], clip) for on in order}
            plain_s = plain_ffmpeg(clip)
            for on, (job_s, ready_s) in jobs.items():
                ratio = job_s / plain_s
                ratios[on].append(ratio)
                print(
                    f"| {run} | {on} | {job_s:.1f} | {plain_s:.1f} | {ratio:.3f} | {ready_s:.1f} |",
                    flush=True,
                )
    for on, found in ratios.items():
        print(f"| median | {on} | | | {statistics.median(found):.3f} | |")


def start(data: Path, previews: str) -> AbstractContextManager[Installation]:
    """Start an installation that makes posters and storyboards, or doesn't."""
    return installation.running(data, {"NEXTSTREAM_PREVIEWS": previews})


def whole_job(house: Installation, clip: Path) -> tuple[float, float]:
    """Give the CPU seconds of all processes for one video, and the seconds from upload to ready."""
    before = cpu_s()
    video = house.upload(clip)
    uploaded_at = time.monotonic()
    ended = house.wait_ended(video["id"], wait_s=600, every_s=1.0)  # each look costs CPU of theirs
    took_s = time.monotonic() - uploaded_at
    assert ended["state"] == "ready", ended
    time.sleep(0.5)  # until the last process has gone to rest
    return cpu_s() - before, took_s


def cpu_s() -> float:
    """Give the CPU seconds of the whole machine so far: what runs in a sandbox is nobody's child.

    So the machine has to be quiet.
    """
    user, nice, system, _, _, irq, softirq = (
        int(ticks) for ticks in Path("/proc/stat").read_text().split()[1:8]
    )
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def plain_ffmpeg(clip: Path) -> float:
    """Give the CPU seconds of one ffmpeg with the same rungs, rate control, threads and sound."""
    made = plan_of(clip)
    graph = f"[0:v:0]split={len(made.rungs)}" + "".join(f"[s{n}]" for n in range(len(made.rungs)))
    graph += "".join(
        f";[s{n}]scale={r.width}:{r.height},setsar=1,format=yuv420p[o{n}]"
        for n, r in enumerate(made.rungs)
    )
    before = cpu_s()
    with tempfile.TemporaryDirectory() as folder:
        command = [sources.tools().ffmpeg, "-nostdin", "-loglevel", "error", "-y"]
        command += ["-threads", str(Settings().threads_each), "-i", str(clip), "-filter_complex", graph]
        for n, rung in enumerate(made.rungs):
            options = codecs.video_options(made, rung, Settings().threads_each)
            command += ["-map", f"[o{n}]", *_words(options), f"{folder}/{rung.name}.mp4"]
        for voice in made.voices:
            options = codecs.audio_options(voice)
            command += [
                "-map",
                f"0:{voice.source_index}",
                *_words(options),
                f"{folder}/{voice.name}.mp4",
            ]
        subprocess.run(command, check=True)
    return cpu_s() - before


def _words(options: dict[str, Any]) -> list[str]:
    words = [str(word) for key, value in options.items() for word in (f"-{key}", value)]
    return ["-f" if word == "-format" else word for word in words]


def plan_of(clip: Path) -> Plan:
    """Plan the clip as the services do."""
    found = FfmpegEncoder(Settings()).probe(str(clip), clip.stat().st_size)
    assert found.video
    settings, rate = Settings(), plan.choose_rate(found.video.rate)
    rungs = ladder.choose(found.video, settings.sides, rate, settings.crf, settings.top_rungs)
    return plan.make(found, rungs, ladder.voices(found.audio), settings.preset, settings.chunk_s)


if __name__ == "__main__":
    main()
