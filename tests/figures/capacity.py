"""Minutes of video that one processor core encodes in an hour, by preset and ladder.

    python -m tests.figures.capacity [FILE] [--seconds S]

The whole job is counted, from the probe to the manifests, by the processor time of all its
processes. It runs without bubblewrap, whose programs are nobody's children and so not counted;
a machine that does other things as well changes little.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from nextstream import workbench
from nextstream.settings import Settings
from tests import servers, sources
from tests.conftest import MEDIA

PRESETS = ("superfast", "veryfast", "faster", "medium")
LADDERS = {
    "1080 to 240, two at the top": (1080, Settings()),
    "1080 to 240": (1080, Settings(top_rungs=1)),
    "720 to 240": (720, Settings(top_rungs=1)),
}
BESIDE = {
    "1080 alone": (1080, Settings(heights="1080", top_rungs=1)),
    "1080 to 240, H.264 and HEVC": (1080, Settings(top_rungs=1, codecs="h264,hevc")),
    "1080 to 240, H.264 and AV1": (1080, Settings(top_rungs=1, codecs="h264,av1")),
}


def main() -> None:
    options = parse()
    os.environ["PATH"] = os.devnull
    print("| ladder | preset | CPU s per s of video | minutes per hour and core |")
    print("| --- | --- | --- | --- |")
    with servers.folder() as home:
        cut = ("-i", options.file, "-t", options.seconds)
        sources.run(*cut, "-c", "copy", home / "1080.mp4")
        smaller = ("-vf", "scale=-2:720", "-preset", "superfast", "-crf", 16, "-c:a", "copy")
        sources.run(*cut, *smaller, home / "720.mp4")
        for name, height, settings in rows():
            spent_s = cpu_of(settings, home / f"{height}.mp4", home / "out") / options.seconds
            print(f"| {name} | {settings.preset} | {spent_s:.2f} | {60 / spent_s:.0f} |", flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", nargs="?", type=Path, default=MEDIA / "big-buck-bunny-1080p-30s.mp4")
    parser.add_argument("--seconds", type=float, default=18)
    return parser.parse_args()


def rows() -> Iterator[tuple[str, int, Settings]]:
    for name, (height, settings) in LADDERS.items():
        for preset in PRESETS:
            yield name, height, replace(settings, preset=preset)
    yield from ((name, height, settings) for name, (height, settings) in BESIDE.items())


def cpu_of(settings: Settings, source: Path, out: Path) -> float:
    """Give the processor seconds of a whole transcode."""
    before_s = used_s()
    workbench.transcode(settings, source, out, lambda _: None)
    shutil.rmtree(out)
    return used_s() - before_s


def used_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
