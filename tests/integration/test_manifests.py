"""Manifests of real encodes: an independent checker finds no broken rule, and ffmpeg every frame."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from nextstream import wiring
from nextstream.adapters.encoder import FfmpegEncoder
from nextstream.adapters.storage_local import LocalStorage
from nextstream.domain import dash, hls, paths
from nextstream.domain.plan import PROBE
from nextstream.domain.source import Purpose
from nextstream.domain.variants import Wanted
from nextstream.domain.video import State, Video
from nextstream.services import transcoding
from nextstream.settings import Settings
from tests import sources

ID = "a1b2c3"
SETTINGS = Settings(heights="180,120", preset="ultrafast", chunk_s=12)
# What a picture is needed for: two variants, I-frames, and not being "audio only".
RULES_OF_PICTURES = {"9.9", "9.20 tvOS", "6.1"}


def transcode(source: Path, folder: Path) -> tuple[Video, Path]:
    """Run the whole pipeline on a file, and give the video and the folder of its public files."""
    storage = LocalStorage(folder)
    storage.adopt(paths.source(ID), source)
    encoder = FfmpegEncoder(SETTINGS)
    platform = wiring.in_memory(storage=storage, encoder=encoder)
    platform = replace(platform, settings=SETTINGS)
    now, size_bytes = platform.clock.now(), source.stat().st_size
    with platform.database.transaction() as tx:
        tx.videos.add(Video(ID, "owner", "T", source.name, now, State.UPLOADED, size_bytes=size_bytes))
        tx.pieces.add(ID, 1, [PROBE])
    video = transcoding.run(platform, ID, 1, 2)
    assert video.state is State.READY, video.failure
    return video, Path(storage.locate(paths.tree(ID, 1), 0))


def broken_rules(master: Path, media: Path, scratch: Path) -> Counter[str]:
    """Ask the checker that lies beside the test media which MUST rules a package breaks."""
    checker = media.parent / "tools" / "hlscheck.py"
    if not checker.is_file():
        pytest.skip(f"there is no {checker}")
    (scratch / "ffmpeg").symlink_to(sources.tools().ffmpeg)  # it calls ffmpeg by name
    found = subprocess.run(
        [sys.executable, checker, master],
        env={**os.environ, "PATH": f"{scratch}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert f"== {master}" in found.stdout, found.stderr
    return Counter(line[7:24].strip() for line in found.stdout.splitlines() if line.startswith("MUST"))


def frames_of(manifest: Path) -> Counter[str]:
    """Count the frames ffmpeg decodes of each picture that a manifest names."""
    listed = sources.run("-i", manifest, "-map", "0:v", "-f", "framemd5", "-").splitlines()
    return Counter(line.split(",")[0] for line in listed if not line.startswith("#"))


@pytest.mark.parametrize(
    ("rate", "frames"), [("24", 480), ("30000/1001", 600), ("60000/1001", 1199)], ids=["24", "30", "60"]
)
def test_a_film_breaks_no_rule_and_loses_no_frame(
    rate: str, frames: int, media: Path, tmp_path: Path
) -> None:
    # Over 18 s, where keyframes set by time drift apart at 59.94 frames per second.
    seconds = float(frames / Fraction(rate))
    source = sources.steady(tmp_path / "source.mp4", seconds=seconds, rate=rate)
    video, folder = transcode(source, tmp_path / "storage")
    assert video.plan is not None
    assert video.plan.frames == frames
    assert list(frames_of(folder / paths.MASTER).values()) == [frames] * len(video.plan.rungs)
    assert broken_rules(folder / paths.MASTER, media, tmp_path) == Counter()


KINDS: dict[str, Callable[[Path], Path]] = {
    "23.976": lambda folder: sources.steady(folder / "a.mp4", seconds=8, rate="24000/1001"),
    "25": lambda folder: sources.steady(folder / "a.mp4", seconds=8, rate="25"),
    "50": lambda folder: sources.steady(folder / "a.mp4", seconds=8, rate="50"),
    "portrait": lambda folder: sources.steady(folder / "a.mp4", seconds=8, size="180x320"),
    "anamorphic": lambda folder: sources.anamorphic(folder / "a.mp4", seconds=8),
    "all there is": lambda folder: sources.rich(folder / "a.mkv", offset_s=3),
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_of_film_breaks_no_rule_and_loses_no_frame(
    kind: str, media: Path, tmp_path: Path
) -> None:
    video, folder = transcode(KINDS[kind](tmp_path), tmp_path / "storage")
    assert video.plan is not None
    rungs = [rendition for rendition in video.renditions if rendition.is_video]
    assert list(frames_of(folder / paths.MASTER).values()) == [video.plan.frames] * len(rungs)
    assert broken_rules(folder / paths.MASTER, media, tmp_path) == Counter()


def test_what_a_source_says_of_its_parts_is_kept(tmp_path: Path) -> None:
    video, folder = transcode(sources.rich(tmp_path / "a.mkv", offset_s=3), tmp_path / "storage")
    assert video.source is not None
    # ffmpeg doesn't move chapters as it moves frames: 6 s on the file's clock is 3 s after the first.
    assert [(c.title, c.start_s) for c in video.source.chapters] == [("Opening", 0), ("The rest", 3)]
    assert [(r.name, r.language, r.channels) for r in video.renditions if r.is_audio] == [
        ("a0", "eng", 2),
        ("a1", "ger", 2),
        ("a0-surround", "eng", 6),
    ]
    assert [(r.name, r.language, r.purpose) for r in video.renditions if r.is_text] == [
        ("t0", "eng", Purpose.MAIN),
        ("t1", "fre", Purpose.CAPTIONS),
        ("t2", "ger", Purpose.MAIN),
    ]
    assert "00:00:01.000 --> 00:00:03.500\nHello <i>there</i>" in (folder / "t1/text.vtt").read_text()


def test_a_silent_film_breaks_no_rule_and_loses_no_frame(media: Path, tmp_path: Path) -> None:
    video, folder = transcode(sources.silent(tmp_path / "source.mp4"), tmp_path / "storage")
    assert video.plan is not None
    assert list(frames_of(folder / paths.MASTER).values()) == [200] * len(video.plan.rungs)
    assert broken_rules(folder / paths.MASTER, media, tmp_path) == Counter()


def test_sound_alone_breaks_only_rules_of_pictures(media: Path, tmp_path: Path) -> None:
    _, folder = transcode(sources.sound(tmp_path / "source.m4a"), tmp_path / "storage")
    assert broken_rules(folder / paths.MASTER, media, tmp_path).keys() <= RULES_OF_PICTURES
    sources.run("-i", folder / paths.MASTER, "-f", "s16le", "-ac", "1", tmp_path / "pcm")
    assert abs((tmp_path / "pcm").stat().st_size / 2 / 48000 - 15) < 1024 / 48000


def test_the_master_above_the_version_folder_plays_too(tmp_path: Path) -> None:
    _, folder = transcode(sources.silent(tmp_path / "source.mp4", seconds=7), tmp_path / "storage")
    assert list(frames_of(folder.parent / paths.MASTER).values()) == [175, 175]
    smaller = folder.parent / "smaller.m3u8"
    smaller.write_text(
        hls.filter_master((folder.parent / paths.MASTER).read_text(), Wanted(max_height=120))
    )
    assert list(frames_of(smaller).values()) == [175]


def test_a_dash_manifest_names_every_file_and_all_of_the_time(tmp_path: Path) -> None:
    source = sources.steady(tmp_path / "source.mp4", seconds=13)
    video, folder = transcode(source, tmp_path / "storage")
    root = ET.parse(folder.parent / paths.MANIFEST).getroot()
    assert root.get("mediaPresentationDuration") == "PT13S"
    named = set()
    for track in root.iter(f"{{{dash.NAMESPACE}}}Representation"):
        [template] = track.iter(f"{{{dash.NAMESPACE}}}SegmentTemplate")
        entries = list(track.iter(f"{{{dash.NAMESPACE}}}S"))
        durations = [int(s.get("d", 0)) for s in entries for _ in range(int(s.get("r", 0)) + 1)]
        assert abs(Fraction(sum(durations), int(template.get("timescale", 1))) - 13) < Fraction(1, 48)
        uris = [template.get("initialization", "")]
        uris += [
            template.get("media", "").replace("$Number%05d$", f"{number:05d}")
            for number in range(1, len(durations) + 1)
        ]
        named |= {uri.replace("$RepresentationID$", track.get("id", "")) for uri in uris}
    stored = {str(p.relative_to(folder.parent)) for p in folder.rglob("*.m*4*")}
    assert named == stored
    assert {r.name for r in video.renditions} == {name.split("/")[1] for name in named}
