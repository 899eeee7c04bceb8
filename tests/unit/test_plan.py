import heapq
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextstream.adapters.encoder_memory import CLIP
from nextstream.domain import ladder, plan
from nextstream.domain.plan import Kind, Piece, Plan
from nextstream.domain.source import SourceInfo

HEIGHTS = (1080, 720, 480, 360, 240)


def plan_for(
    source: SourceInfo = CLIP, chunk_s: int = 24, slots: int = 1, heights: tuple[int, ...] = (360, 240)
) -> Plan:
    rungs = ladder.choose(source.video, heights, Fraction(24), 23) if source.video else ()
    return plan.make(source, rungs, ladder.voices(source.audio), "veryfast", chunk_s, slots)


def sizes(made: Plan) -> list[tuple[int, int]]:
    """Give the segments and rungs of each piece of the picture."""
    pieces = [piece for piece in made.pieces if piece.kind is Kind.VIDEO]
    return [(-(-p.frames // made.segment_frames), len(p.rungs)) for p in pieces]


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
    slots=st.integers(1, 300),
)
def test_chunks_cover_every_frame_of_every_rung_once_in_whole_segments(
    seconds: Fraction, rate: Fraction, chunk_s: int, slots: int
) -> None:
    made = plan_for(lasting(seconds, rate), chunk_s, slots)
    assert len({piece.name for piece in made.pieces}) == len(made.pieces)
    for rung in made.rungs:
        chunks = [piece for piece in made.pieces if rung.name in piece.rungs]
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
    found = sizes(plan_for(lasting(Fraction(120))))
    assert [segments for segments, _ in found] == [1, 2, 4, 4, 3, 3, 3]


def test_chunks_shrink_towards_the_end_where_several_slots_work() -> None:
    found = sizes(plan_for(lasting(Fraction(240)), slots=4, heights=HEIGHTS))
    assert [segments for segments, _ in found] == [1, 2, *[4] * 4, *[3] * 2, *[2] * 4, *[1] * 7]


def test_only_the_opening_chunk_of_a_long_video_is_split_by_rung_and_only_where_all_have_a_slot() -> (
    None
):
    hour = lasting(Fraction(3600))
    few, many = (sizes(plan_for(hour, slots=slots, heights=HEIGHTS)) for slots in (3, 64))
    assert few[:2] == [(1, 4), (2, 4)]
    assert many[:5] == [*[(1, 1)] * 4, (2, 4)]
    assert {rungs for _, rungs in many[4:]} == {4}


def test_a_video_of_fewer_segments_than_slots_is_split_by_rung() -> None:
    def found(slots: int) -> list[tuple[int, int]]:
        return sizes(plan_for(lasting(Fraction(18)), slots=slots, heights=(720, 360)))

    assert found(1) == [(1, 2), (2, 2)]
    assert found(2) == [(1, 2), (1, 2), (1, 2)]
    assert found(6) == [(1, 1)] * 6


def test_rungs_are_shared_out_by_their_pixels() -> None:
    rungs = plan_for(heights=HEIGHTS).rungs
    names = [[rung.name for rung in part] for part in plan.share(rungs, 3)]
    assert names == [["v720"], ["v480"], ["v360", "v240"]]
    assert [len(plan.share(rungs, parts)) for parts in (0, 1, 4, 9)] == [1, 1, 4, 4]


@pytest.mark.parametrize("slots", [2, 4, 16, 64])
def test_slots_end_together_on_a_video_of_an_hour(slots: int) -> None:
    """Give each slot the next piece when it is free; decoding is a quarter of the cost of all rungs."""
    hour = lasting(Fraction(3600))
    alone, fleet = (plan_for(hour, slots=n, heights=HEIGHTS) for n in (1, slots))
    ends = [0.0] * slots
    for piece in fleet.pieces:
        heapq.heapreplace(ends, ends[0] + cost_of(fleet, piece))
    cost, least = (sum(cost_of(made, piece) for piece in made.pieces) for made in (fleet, alone))
    assert least / (slots * max(ends)) >= 0.9
    assert cost <= 1.02 * least


def cost_of(made: Plan, piece: Piece) -> float:
    """Give what a piece costs, in segments encoded whole; sound costs a hundredth of the picture."""
    start, decoding = 0.05, 0.25
    segments = -(-piece.frames // made.segment_frames)
    if piece.kind is Kind.AUDIO:
        return segments / 100
    pixels = {rung.name: rung.width * rung.height for rung in made.rungs}
    encoding = sum(pixels[name] for name in piece.rungs) / sum(pixels.values())
    return start + segments * (decoding + (1 - decoding) * encoding)


@given(
    seconds=st.fractions(Fraction(1, 100), Fraction(100), max_denominator=1000),
    rate=st.sampled_from(plan.NATURAL_RATES),
)
def test_the_target_duration_is_known_before_anything_is_encoded(
    seconds: Fraction, rate: Fraction
) -> None:
    made = plan_for(lasting(seconds, rate))
    longest = min(made.segment_s, made.duration_s) + Fraction(2 * 1024, 48000)
    assert made.target_s >= max(1, round(float(longest) - 0.022))
    assert made.target_s <= 7


def test_sound_and_the_opening_chunk_start_before_the_rest() -> None:
    kinds = [piece.name for piece in plan_for().pieces]
    assert kinds == ["video-00000", "audio-a0", "video-00001", "video-00002"]


def test_chunks_that_are_decoded_from_the_beginning_grow_with_what_is_decoded_for_nothing() -> None:
    made = plan_for(replace(lasting(Fraction(7200)), is_seekable=False))
    assert made.run_up_s is None
    found = [segments for segments, _ in sizes(made)]
    assert found[:8] == [1, 2, 4, 4, 4, 4, 4, 5]
    assert max(found) == plan.MOST_FROM_START
    for n, size in enumerate(found[2:-1], 2):
        assert size >= min(sum(found[:n]) // plan.GROWTH, plan.MOST_FROM_START)


def test_a_still_is_one_chunk_however_long_it_is_held() -> None:
    source = lasting(Fraction(300))
    assert source.video
    still = replace(source, video=replace(source.video, is_still=True), is_seekable=False)
    assert [segments for segments, _ in sizes(plan_for(still))] == [50]


def test_decoding_begins_as_long_before_a_chunk_as_the_source_needs() -> None:
    assert plan_for().run_up_s == 1
    assert plan_for(replace(CLIP, run_up_s=Fraction(5))).run_up_s == 5


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
    assert (made.segments, made.duration_s) == (6, Fraction(763, 25))


def test_the_grid_starts_where_the_picture_does() -> None:
    assert CLIP.video
    late = replace(CLIP.video, start_s=Fraction(7), end_s=Fraction(17))
    made = plan_for(replace(CLIP, start_s=Fraction(6), video=late))
    assert (made.origin_s, made.container_start_s, made.frames) == (7, 6, 240)


@pytest.mark.parametrize("frames", [300, 301])
def test_the_last_frame_has_its_place_where_frames_lie_between_two_of_the_grid(frames: int) -> None:
    late = replace(lasting(Fraction(2 * frames + 1, 50), Fraction(25)), audio=())
    assert plan_for(late).frames == frames + 1


def test_a_piece_is_found_by_its_name() -> None:
    assert plan_for().piece("audio-a0").voice == "a0"
    with pytest.raises(KeyError):
        plan_for().piece("video-99999")


def test_a_moment_is_held_for_a_second_so_that_players_start() -> None:
    made = plan_for(lasting(Fraction(1, 10)))
    assert (made.duration_s, made.frames) == (1, made.rate)
