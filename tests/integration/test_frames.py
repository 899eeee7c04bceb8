"""Chunks hold the very frames of a whole decode, by framemd5."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import ffmpeg
import pytest

from nextstream.adapters.encoder import FfmpegEncoder
from nextstream.domain import ffmpeg as commands
from nextstream.domain import fmp4, ladder, plan
from nextstream.domain.plan import Kind, Piece, Plan
from nextstream.settings import Settings
from tests import sources


def make_plan(source: Path) -> Plan:
    found = FfmpegEncoder(Settings()).probe(str(source), 1)
    assert found.video
    rungs = ladder.choose(found.video, (120,), plan.choose_rate(found.video.rate), 30)
    return plan.make(found, rungs, ladder.voices(found.audio), "ultrafast", 12)


def digest(source: Path, made: Plan, piece: Piece) -> list[str]:
    """Give a digest of every frame of a piece, as it goes into the encoder."""
    frames = commands.picture(str(source), made, piece, 1)
    command = ffmpeg.output(frames, "pipe:", format="framemd5").compile(
        cmd=[sources.tools().ffmpeg, "-nostdin", "-loglevel", "error", "-copyts"]
    )
    out = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    return [line.split(",")[-1].strip() for line in out.splitlines() if not line.startswith("#")]


SOURCES = {
    "constant.mp4": lambda path: sources.steady(path, seconds=40),
    "ntsc.mp4": lambda path: sources.steady(path, seconds=40, rate="30000/1001"),
    "ntsc60.mp4": lambda path: sources.steady(path, seconds=40, rate="60000/1001"),
    "fast.mp4": lambda path: sources.steady(path, seconds=40, rate="120"),
    "variable.mkv": sources.variable,
    "variable.mp4": sources.variable,
    "late.ts": lambda path: sources.variable(path, offset_s=3601.4),
    "open.ts": lambda path: sources.coded(path, "open-gop=1:keyint=50:bframes=3"),
    "refreshed.ts": lambda path: sources.coded(path, "intra-refresh=1:keyint=60:bframes=0"),
    "interlaced.mpg": lambda path: sources.interlaced(path, seconds=40, codec="mpeg2video"),
    "steady.flv": lambda path: sources.steady(path, seconds=40),
    "steady.avi": lambda path: sources.steady(path, seconds=40),
    "interlaced.mkv": lambda path: sources.interlaced(path, seconds=40),
    "open.mkv": lambda path: sources.coded(path, "open-gop=1:keyint=50:bframes=3"),
    "refreshed.mkv": lambda path: sources.coded(path, "intra-refresh=1:keyint=200:bframes=0"),
    "held.mp4": lambda path: sources.steady(path, seconds=20, picture_s=5),
}
FROM_START = ("refreshed.mkv", "steady.avi")


def small(path: Path, *options: str) -> Path:
    """Make small pictures by an encoder, long enough to be cut into chunks."""
    sources.run("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=25:duration=14", *options, path)
    return path


def unlisted(path: Path) -> Path:
    """Make an MP4 that doesn't list its keyframes, which takes all frames for such."""
    made = small(path, "-c:v", "mpeg4", "-g", "100", "-bf", "0")
    path.write_bytes(made.read_bytes().replace(b"stss", b"free"))
    return path


def second(path: Path) -> Path:
    """Make a film of two pictures, of which the second is the one to play, and has other keyframes."""
    first = small(path.with_suffix(".a.mkv"), "-c:v", "mpeg4", "-g", "10")
    other = small(path.with_suffix(".b.mkv"), "-c:v", "mpeg4", "-g", "250")
    both = (
        "-map",
        "0",
        "-map",
        "1",
        "-c",
        "copy",
        "-disposition:v:0",
        "0",
        "-disposition:v:1",
        "default",
    )
    sources.run("-i", first, "-i", other, *both, path)
    return path


@pytest.mark.parametrize(
    "make",
    [
        unlisted,
        second,
        # Its keyframes aren't marked, and no seek succeeds.
        lambda path: small(path, "-c:v", "vc2"),
        lambda path: small(path, "-c:v", "mpeg4", "-g", "250", "-bsf:v", "noise=drop='lt(n,1)'"),
    ],
    ids=["unlisted.mp4", "second.mkv", "unmarked.mkv", "headless.mkv"],
)
def test_a_source_whose_keyframes_do_not_hold_is_decoded_from_the_beginning(
    make: Callable[[Path], Path], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    assert make_plan(make(tmp_path / request.node.callspec.id)).run_up_s is None


@pytest.mark.parametrize("name", SOURCES)
def test_the_frames_of_all_chunks_are_those_of_a_whole_decode(name: str, tmp_path: Path) -> None:
    source = SOURCES[name](tmp_path / name)
    made = make_plan(source)
    chunks = [piece for piece in made.pieces if piece.kind is Kind.VIDEO]
    whole = digest(source, made, Piece("whole", Kind.VIDEO, 0, made.frames, ("v120",)))
    parts = [frame for chunk in chunks for frame in digest(source, made, chunk)]
    assert len(chunks) >= 3
    assert (made.run_up_s is None) == (name in FROM_START)
    assert len(whole) == made.frames
    assert parts == whole


def test_the_frames_of_a_constant_source_are_its_own_each_once(tmp_path: Path) -> None:
    source = sources.steady(tmp_path / "constant.mp4", seconds=20)
    made = make_plan(source)
    own = sources.run("-i", source, "-map", "0:v", "-f", "framemd5", "-").splitlines()
    expected = [line.split(",")[-1].strip() for line in own if not line.startswith("#")]
    chunks = [piece for piece in made.pieces if piece.kind is Kind.VIDEO]
    assert [frame for chunk in chunks for frame in digest(source, made, chunk)] == expected


@pytest.mark.parametrize("over", [1, 2, 3])
def test_a_tail_of_few_frames_fits_behind_the_first_chunks_init_segment(
    over: int, tmp_path: Path
) -> None:
    source = sources.steady(tmp_path / "short.mp4", seconds=6 + over / 24)
    made = make_plan(source)
    encoder = FfmpegEncoder(Settings())
    chunks = [piece for piece in made.pieces if piece.kind is Kind.VIDEO]
    assert [chunk.frames for chunk in chunks] == ([144, 3] if over == 3 else [144 + over])
    first, last = (
        [fmp4.read(one.data) for one in encoder.encode(str(source), made, chunk, lambda _: None)]
        for chunk in (chunks[0], chunks[-1])
    )
    assert {len(track.samples) for track in last} == {chunks[-1].frames}
    assert [track.init for track in last] == [track.init for track in first]


def test_a_seek_that_lands_late_would_be_seen(tmp_path: Path) -> None:
    source = sources.steady(tmp_path / "constant.mp4", seconds=20)
    made = make_plan(source)
    chunk = [piece for piece in made.pieces if piece.kind is Kind.VIDEO][1]
    late = replace(chunk, first_frame=chunk.first_frame + 1)
    assert digest(source, made, late) != digest(source, made, chunk)
