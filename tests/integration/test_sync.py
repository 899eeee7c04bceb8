"""Sound and picture stay together, as browsers show them: by flash and beep."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests import pipeline, sources, sync
from web import create_app

SECONDS = 8
AT_S = (0, 5)  # tests/figures/sync.py measures after a minute, too
FEW = replace(pipeline.SMALL, heights="120")


@pytest.mark.parametrize(
    "name",
    ["plain", "start offset, MPEG-TS", "sound delayed, start offset", "picture delayed by 0.48 s"],
)
def test_sound_is_as_far_from_the_picture_as_in_the_source(name: str, tmp_path: Path) -> None:
    kind = sync.KINDS[name]
    source = sync.make(tmp_path / f"source.{kind.ending}", kind, SECONDS)
    own = sync.of_source(source, tmp_path)
    platform, video = pipeline.transcode(source, tmp_path / "media", FEW)
    got = sync.of_output(platform, video, tmp_path)
    saved = tmp_path / "saved.mp4"
    client = create_app(platform, "streaming").test_client()
    saved.write_bytes(client.get(f"/v/{pipeline.ID}/download/v120.mp4").data)
    kept = sync.of_source(saved, tmp_path)
    for at_s in AT_S:
        assert abs(own.offset_ms(at_s)) <= 1
        assert abs(got.offset_ms(at_s) - own.offset_ms(at_s)) <= 3  # one frame of AAC is 21
        assert abs(kept.offset_ms(at_s) - own.offset_ms(at_s)) <= 3


@pytest.mark.parametrize("change", ["setts=ts=TS*1.004", "noise=drop='between(n,100,102)'"])
def test_sound_whose_clock_is_slow_or_that_lacks_a_moment_follows_its_times(
    change: str, tmp_path: Path
) -> None:
    plain = sync.make(tmp_path / "plain.mp4", sync.KINDS["plain"], 12)
    source = tmp_path / "source.mkv"
    sources.run("-i", plain, "-c", "copy", "-bsf:a", change, source)
    own = sync.of_source(source, tmp_path)
    platform, video = pipeline.transcode(source, tmp_path / "media", FEW)
    got = sync.of_output(platform, video, tmp_path)
    for at_s in (0, 5, 10):
        assert abs(got.offset_ms(at_s) - own.offset_ms(at_s)) <= 22


def test_the_meter_sees_sound_that_was_moved(tmp_path: Path) -> None:
    source = sync.make(tmp_path / "right.mp4", sync.KINDS["plain"], 4)
    moved = tmp_path / "moved.mkv"
    sources.run(
        *("-i", source, "-itsoffset", "0.04", "-i", source),
        *("-map", "0:v", "-map", "1:a", "-c", "copy", moved),
    )
    for at_s in (0, 2):
        assert abs(sync.of_source(moved, tmp_path).offset_ms(at_s) - 40) <= 2
