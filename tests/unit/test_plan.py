from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextstream.adapters.encoder_memory import CLIP
from nextstream.domain import ladder, plan
from nextstream.domain.plan import Kind, Plan
from nextstream.domain.video import SourceInfo


def plan_for(source: SourceInfo = CLIP, chunk_s: int = 24) -> Plan:
    rungs = ladder.choose(source.video, (360, 240), Fraction(24), 23) if source.video else ()
    return plan.make(source, rungs, ladder.voices(source.audio), "veryfast", chunk_s)


def lasting(seconds: Fraction, rate: Fraction = Fraction(24)) -> SourceInfo:
    assert CLIP.video
    video = replace(CLIP.video, rate=rate, end_s=CLIP.video.start_s + seconds)
    return replace(CLIP, duration_s=seconds, video=video)


@pytest.mark.parametrize(
    ("source", "grid"),
    [
        ("24", "24"),
        ("24000/1001", "24000/1001"),
        ("2997/100", "30000/1001"),
        ("120", "60"),
        ("120000/1001", "60000/1001"),
        ("240", "60"),
        ("29", "30000/1001"),
        ("15", "15"),
        ("8", "10"),
        ("1", "10"),
        ("61", "50"),
    ],
)
def test_the_grid_has_the_natural_rate_of_the_source(source: str, grid: str) -> None:
    assert plan.choose_rate(Fraction(source)) == Fraction(grid)


@given(st.fractions(Fraction(1, 2), Fraction(1000)))
def test_the_grid_is_never_faster_than_60(rate: Fraction) -> None:
    assert plan.choose_rate(rate) in plan.NATURAL_RATES


@given(
    seconds=st.fractions(Fraction(1, 100), Fraction(20_000), max_denominator=1000),
    rate=st.sampled_from(plan.NATURAL_RATES),
    chunk_s=st.integers(1, 120),
)
def test_chunks_cover_every_frame_once_in_whole_segments(
    seconds: Fraction, rate: Fraction, chunk_s: int
) -> None:
    made = plan_for(lasting(seconds, rate), chunk_s)
    chunks = [piece for piece in made.pieces if piece.kind is Kind.VIDEO]
    expected = 0
    for chunk in chunks:
        assert chunk.first_frame == expected
        assert chunk.first_frame % made.segment_frames == 0
        assert chunk.frames > 0
        expected += chunk.frames
    assert expected == made.frames
    longest = max(chunk.frames for chunk in chunks)
    assert longest <= max(made.segment_frames, chunk_s * rate) + plan.LEAST_CHUNK_FRAMES


def test_the_first_chunk_is_one_segment_and_later_ones_are_long_and_alike() -> None:
    made = plan_for(lasting(Fraction(120)))
    sizes = [p.frames // made.segment_frames for p in made.pieces if p.kind is Kind.VIDEO]
    assert sizes == [1, 2, 4, 4, 3, 3, 3]


def test_sound_and_the_opening_chunk_start_before_the_rest() -> None:
    kinds = [piece.name for piece in plan_for().pieces]
    assert kinds == ["video-00000", "audio-a0", "video-00001", "video-00002"]


def test_a_source_that_cannot_be_sought_exactly_is_one_chunk() -> None:
    made = plan_for(replace(lasting(Fraction(300)), format="mpegts"))
    assert [p.frames for p in made.pieces if p.kind is Kind.VIDEO] == [made.frames]


@pytest.mark.parametrize("rate", plan.NATURAL_RATES)
def test_gops_and_segments_are_whole_frames_of_about_two_and_six_seconds(rate: Fraction) -> None:
    made = plan_for(lasting(Fraction(60), rate))
    assert made.segment_frames == 3 * made.gop_frames
    assert abs(made.segment_s - 6) < Fraction(1, 10)
    assert made.timescale % rate.numerator == 0
    assert (made.timescale / rate).denominator == 1
    assert made.gop_ticks * rate == made.gop_frames * made.timescale


def test_sound_alone_has_a_grid_to_count_segments_by() -> None:
    made = plan_for(replace(CLIP, video=None, duration_s=Fraction(61, 2)))
    assert [piece.kind for piece in made.pieces] == [Kind.AUDIO]
    assert (made.segments, made.duration_s) == (6, Fraction(762, 25))


def test_the_grid_starts_where_the_picture_does() -> None:
    assert CLIP.video
    late = replace(CLIP.video, start_s=Fraction(7), end_s=Fraction(17))
    made = plan_for(replace(CLIP, start_s=Fraction(6), video=late))
    assert (made.origin_s, made.container_start_s, made.frames) == (7, 6, 240)


def test_a_piece_is_found_by_its_name() -> None:
    assert plan_for().piece("audio-a0").voice == "a0"
    with pytest.raises(KeyError):
        plan_for().piece("video-99999")
