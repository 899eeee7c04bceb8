"""What checkers and players say of each kind of input: figure 2 of "any video in, right output out".

    python -m tests.figures.players [NAME ...]

hlscheck lies beside the test media. The schema of DASH is a file that tests/schema.py names, or
NEXTSTREAM_TEST_DASH_SCHEMA.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests import npm, players, schema, servers, sources
from tests.conftest import MEDIA
from tests.e2e import player
from tests.e2e.player import Viewer

SECONDS = 20.0  # over 18 s, where keyframes set by time drift apart at 59.94
SIZE = "426x240"
# What a picture is needed for: two variants, I-frames, and not being "audio only".
RULES_OF_PICTURES = ("9.9", "9.20 tvOS", "6.1")


def rate(value: str) -> Callable[[Path], Path]:
    return lambda folder: sources.steady(folder / "in.mp4", seconds=SECONDS, rate=value, size=SIZE)


INPUTS: dict[str, Callable[[Path], Path]] = {
    "23.976 fps": rate("24000/1001"),
    "25 fps": rate("25"),
    "29.97 fps": rate("30000/1001"),
    "50 fps": rate("50"),
    "59.94 fps": rate("60000/1001"),
    "portrait": lambda folder: sources.steady(folder / "in.mp4", seconds=9, size="240x426"),
    "anamorphic": lambda folder: sources.anamorphic(folder / "in.mp4"),
    "audio only": lambda folder: sources.sound(folder / "in.m4a"),
    "no audio": lambda folder: sources.silent(folder / "in.mp4"),
    "multi-audio, subtitles": lambda folder: sources.rich(folder / "in.mkv", size=SIZE),
    "start at 7.3 s": lambda folder: sources.rich(folder / "in.mkv", size=SIZE, offset_s=7.3),
    "HEVC and AV1 beside": lambda folder: sources.rich(folder / "in.mkv", size=SIZE),
}
SETTINGS = {
    "HEVC and AV1 beside": {"codecs": "h264,hevc,av1", "hevc_preset": "ultrafast", "av1_preset": "12"}
}


def main() -> None:
    wanted = sys.argv[1:] or list(INPUTS)
    columns = [
        "input",
        "hlscheck MUST",
        "MPD schema",
        *players.PLAYERS,
        "A/V start, ms",
        "mpv",
        "GStreamer",
    ]
    print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}", flush=True)
    with player.opened() as viewer:
        for name in wanted:
            with tempfile.TemporaryDirectory() as work:
                print(f"| {name} | {' | '.join(judge(name, Path(work), viewer))} |", flush=True)


def judge(name: str, work: Path, viewer: Viewer) -> Iterator[str]:
    """Give the cells of one input's row."""
    made = players.package(INPUTS[name](work), work / "out", **SETTINGS.get(name, {}))
    yield checked(made / "master.m3u8", work, RULES_OF_PICTURES if name == "audio only" else ())
    yield validated(made / "manifest.mpd")
    starts: dict[str, dict[str, float]] = {}
    with players.served(made, npm.modules()) as url:
        for each in players.PLAYERS:
            captions = "subtitles" in name
            played = players.play(viewer, url, each, captions=captions)
            starts[each] = played.starts_s
            yield played.why or ("plays, captions" if captions else "plays")
        spans = [1000 * max(s.values()) for s in starts.values() if s]
        yield f"{max(spans, default=-1):.3f}"
        yield heard("mpv", "--no-config", "--vo=null", "--ao=null", "--length=3", f"{url}/master.m3u8")
        sinks = ("video-sink=fakesink sync=false", "audio-sink=fakesink sync=false")
        yield heard("gst-launch-1.0", "-q", "playbin", f"uri={url}/master.m3u8", *sinks)


def validated(manifest: Path) -> str:
    try:
        return schema.check(manifest) or "valid"
    except servers.Missing as missing:
        return str(missing)


def checked(master: Path, work: Path, excused: tuple[str, ...]) -> str:
    checker = MEDIA.parent / "tools" / "hlscheck.py"
    if not checker.is_file():
        return "no hlscheck here"
    (work / "bin").mkdir()
    (work / "bin" / "ffmpeg").symlink_to(sources.tools().ffmpeg)
    (work / "bin" / "ffprobe").symlink_to(sources.tools().ffprobe)
    said = subprocess.run(
        [sys.executable, checker, master],
        env={"PATH": f"{work}/bin:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    assert f"== {master}" in said, said
    broken = [line[7:24].strip() for line in said.splitlines() if line.startswith("MUST")]
    return ", ".join(rule for rule in broken if rule not in excused) or "0"


def heard(program: str, *words: str) -> str:
    """Say whether a player plays, by its own word."""
    if not shutil.which(program):
        return "not here"
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=120, check=False)
    fault = done.returncode or "ERROR" in done.stdout + done.stderr
    return (done.stdout + done.stderr).strip().splitlines()[-1] if fault else "plays"


if __name__ == "__main__":
    main()
