"""Every file of a folder through the whole pipeline: what it should become, and what it became.

    python -m tests.figures.corpus [PART_OF_NAME] [--folder FOLDER] [--play COUNT]

FOLDER.tsv beside the folder says from which files ffmpeg decodes a video frame or an audio sample;
without it, ffmpeg is asked. `--play` plays that many of the most different ones in Chromium.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog
from playwright.sync_api import Error as PlaywrightError

from nextstream import wiring
from nextstream.domain import paths
from nextstream.domain.plan import PROBE
from nextstream.domain.video import State, Video
from nextstream.services import transcoding
from nextstream.settings import Settings
from tests import sources
from tests.conftest import MEDIA
from tests.e2e import player


@dataclass(frozen=True)
class Row:
    """A file, and whether ffmpeg finds pictures and sound in it."""

    name: str
    has_picture: bool
    has_sound: bool

    @property
    def expected(self) -> str:
        """Give what the file should become."""
        return "ready" if self.has_picture or self.has_sound else "refused"


@dataclass(frozen=True)
class Result:
    """What a file became; `kind` is what makes it different from others."""

    row: Row
    video: Video
    took_s: float

    @property
    def is_right(self) -> bool:
        """Tell whether it is as expected: more than the list promised is right too."""
        failure = self.video.failure
        if self.video.state is State.READY:
            return True
        own = failure is not None and failure.code not in ("internal", "encoder_failed")
        return self.row.expected == "refused" and own

    @property
    def kind(self) -> tuple[object, ...]:
        """Give the traits by which files are told apart."""
        found = self.video.source
        if found is None:
            return ()
        video, sound = found.video, found.audio[0] if found.audio else None
        traits = (video.codec, video.pixel_format, video.turned, video.color) if video else ()
        return found.format, traits, sound and (sound.codec, sound.channels)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("part", nargs="?", default="")
    parser.add_argument("--folder", type=Path, default=MEDIA / "corpus")
    parser.add_argument("--play", type=int, default=0)
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    print(
        "| file | expected | became | warnings | renditions | s |\n| --- | --- | --- | --- | --- | --- |"
    )
    results = []
    for row in rows(chosen.folder):
        if chosen.part in row.name:
            begun = time.monotonic()
            video = transcode(chosen.folder / row.name)
            results.append(Result(row, video, time.monotonic() - begun))
            print(line(results[-1]), flush=True)
    summarise(results)
    wrong = [result for result in results if not result.is_right]
    if chosen.play:
        play(chosen.folder, most_different(results, chosen.play))
    sys.exit(bool(wrong))


def line(result: Result) -> str:
    video = result.video
    became = f"**{video.failure.code}**" if video.failure else video.state
    warnings = " ".join(each.code for each in video.source.warnings) if video.source else ""
    names = " ".join(rendition.name for rendition in video.renditions)
    wrong = "" if result.is_right else " (!)"
    columns = (result.row.name, result.row.expected, f"{became}{wrong}", warnings, names)
    return f"| {' | '.join(columns)} | {result.took_s:.1f} |"


def summarise(results: list[Result]) -> None:
    longest = max(results, key=lambda result: result.took_s)
    ready = sum(result.video.state is State.READY for result in results)
    wrong = sum(not result.is_right for result in results)
    print(f"\n{len(results)} files: {ready} ready, {len(results) - ready} refused, {wrong} wrong;")
    print(f"the longest took {longest.took_s:.1f} s ({longest.row.name})")


def rows(folder: Path) -> Iterator[Row]:
    listed = folder.with_name(f"{folder.name}.tsv")
    if not listed.exists():
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            yield Row(str(path.relative_to(folder)), decodes(path, "v"), decodes(path, "a"))
        return
    for text in listed.read_text().splitlines():
        if text and not text.startswith("#"):
            name, picture, sound, *_ = text.split("\t")
            yield Row(name, picture == "True", sound == "True")


def decodes(path: Path, kind: str) -> bool:
    """Tell whether ffmpeg decodes a first frame of pictures (v) or sound (a)."""
    command = [sources.tools().ffmpeg, "-nostdin", "-loglevel", "error", "-i", f"file:{path}"]
    out = ["-map", f"0:{kind}:0", f"-frames:{kind}", "1", "-f", "framemd5", "-"]
    done = subprocess.run([*command, *out], capture_output=True, text=True, timeout=60, check=False)
    return any(not said.startswith("#") for said in done.stdout.splitlines())


def transcode(file: Path) -> Video:
    """Run the pipeline over a file in this process, quick and small."""
    settings = replace(Settings(), preset="ultrafast", heights="240", log_level="CRITICAL")
    with tempfile.TemporaryDirectory() as folder:
        video_id = paths.new_id()
        platform = wiring.workbench(settings, Path(folder), {paths.source(video_id): file.resolve()})
        try:
            now, size_bytes = platform.clock.now(), file.stat().st_size
            video = Video(
                video_id, "figures", file.stem, file.name, now, State.UPLOADED, size_bytes=size_bytes
            )
            with platform.database.transaction() as tx:
                tx.videos.add(video)
                tx.pieces.add(video.id, video.version, [PROBE])
            return transcoding.run(platform, video.id, video.version, slots=2)
        finally:
            platform.database.close()


def most_different(results: list[Result], count: int) -> list[Result]:
    """Choose files of as many kinds as there are, the quickest of each."""
    kinds: dict[tuple[object, ...], Result] = {}
    for result in sorted(results, key=lambda result: result.took_s):
        if result.video.state is State.READY:
            kinds.setdefault(result.kind, result)
    return list(kinds.values())[:count]


def play(folder: Path, chosen: list[Result]) -> None:
    """Upload files to a running installation, and play each to its end by hls.js in Chromium."""
    from tests import installation

    print("\n| played | s played | frames shown | failed requests |\n| --- | --- | --- | --- |")
    settings = {"NEXTSTREAM_PRESET": "ultrafast", "NEXTSTREAM_HEIGHTS": "240"}
    with (
        tempfile.TemporaryDirectory() as data,
        installation.running(Path(data, "data"), settings) as house,
    ):
        for result in chosen:
            video = house.wait_ended(house.upload(folder / result.row.name)["id"])
            print(f"| {result.row.name} | {watch(house.url, video)} |", flush=True)


def watch(url: str, video: dict[str, Any]) -> str:
    """Play a video to its end, and say how far that came."""
    with player.opened() as viewer:
        try:
            viewer.watch(f"{url}/watch/{video['id']}")
            viewer.play_to_end(wait_s=120 + 2 * float(video["source"]["duration_s"]))
        except PlaywrightError as error:
            return f"**{error.message.splitlines()[0]}** | | {viewer.failed}"
        at_s = viewer.page.evaluate("() => document.querySelector('video').currentTime")
        return f"{at_s:.2f} | {viewer.quality()['shown']} | {len(viewer.failed)}"


if __name__ == "__main__":
    main()
