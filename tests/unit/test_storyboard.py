from __future__ import annotations

import json
import re
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextstream.adapters.encoder_memory import CLIP
from nextstream.domain import ladder, plan, storyboard
from nextstream.domain.plan import Kind, Plan


def make(seconds: float = 20, *, size: tuple[int, int] = (1280, 720), format_: str = "mov,mp4") -> Plan:
    assert CLIP.video
    track = replace(CLIP.video, width=size[0], height=size[1], end_s=Fraction(seconds))
    source = replace(CLIP, format=format_, video=track, duration_s=Fraction(seconds))
    rungs = ladder.choose(track, (720, 240), Fraction(24), 23)
    made = plan.make(source, rungs, (), "veryfast", 24)
    return replace(made, tile_frames=storyboard.step_frames(made.frames, made.gop_frames))


@given(st.floats(0.1, 3000), st.sampled_from(["mov,mp4", "mpegts"]))
def test_the_sheets_of_all_chunks_hold_every_tile_once_in_order(seconds: float, format_: str) -> None:
    made = make(seconds, format_=format_)
    sheets = storyboard.sheets(made)
    numbers = [n for one in sheets for n in range(one.first, one.first + one.tiles)]
    assert numbers == list(range(-(-made.frames // made.tile_frames)))
    assert all(one.columns * (one.rows - 1) < one.tiles <= one.columns * one.rows for one in sheets)


@pytest.mark.parametrize(
    ("seconds", "step_s", "tiles"), [(20, 2, 10), (600, 2, 300), (43_200, 144, 300)]
)
def test_the_step_grows_with_the_video_so_that_tiles_stay_few(
    seconds: int, step_s: int, tiles: int
) -> None:
    made = make(seconds)
    assert made.tile_frames == step_s * 24
    assert json.loads(storyboard.describe(made))["tiles"] == tiles


def test_cues_cover_the_video_without_a_gap_and_end_with_it() -> None:
    text = storyboard.webvtt(make(21.5), "v1/thumbs/")
    cues = re.findall(r"(\S+) --> (\S+)\n(\S+)", text)
    assert text.startswith("WEBVTT\n\n")
    assert [begin for begin, _, _ in cues[1:]] == [end for _, end, _ in cues[:-1]]
    assert (cues[0][0], cues[-1][1]) == ("00:00:00.000", "00:00:21.500")
    assert cues[3][2] == "v1/thumbs/00003.jpg#xywh=0,0,160,90"
    assert cues[4][2] == "v1/thumbs/00003.jpg#xywh=160,0,160,90"


def test_only_the_piece_with_the_smallest_rung_makes_a_sheet() -> None:
    made = make()
    whole = next(piece for piece in made.pieces if piece.kind is Kind.VIDEO)
    assert storyboard.sheet(made, replace(whole, rungs=("v240",))) == storyboard.sheet(made, whole)
    assert storyboard.sheet(made, replace(whole, rungs=("v720",))) is None
    assert storyboard.sheet(replace(made, tile_frames=0), whole) is None


@pytest.mark.parametrize(
    ("size", "tile"),
    [((1280, 720), (160, 90)), ((720, 1280), (90, 160)), ((64, 36), (64, 36)), ((4000, 40), (160, 2))],
)
def test_a_tile_has_the_videos_shape(size: tuple[int, int], tile: tuple[int, int]) -> None:
    assert storyboard.tile_size(make(size=size)) == tile
