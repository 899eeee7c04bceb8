from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextstream.domain import ladder
from nextstream.domain.video import AudioTrack, VideoTrack

STEPS = (1080, 720, 480, 360, 240)


def picture(width: int, height: int) -> VideoTrack:
    return VideoTrack(0, "h264", width, height, Fraction(24), Fraction(0), Fraction(10))


def sizes(width: int, height: int) -> list[tuple[int, int]]:
    rungs = ladder.choose(picture(width, height), STEPS, Fraction(24), 23)
    return [(rung.width, rung.height) for rung in rungs]


def test_a_full_hd_source_gets_every_step() -> None:
    assert sizes(1920, 1080) == [(1920, 1080), (1280, 720), (854, 480), (640, 360), (426, 240)]


def test_a_portrait_source_is_measured_by_its_short_side() -> None:
    assert sizes(720, 1280) == [(720, 1280), (480, 854), (360, 640), (240, 426)]


def test_a_source_well_above_a_step_keeps_its_own_size_on_top() -> None:
    assert sizes(1920, 872)[:2] == [(1920, 872), (1586, 720)]


def test_a_source_just_above_a_step_does_not_get_two_rungs_alike() -> None:
    assert sizes(1296, 730)[0] == (1278, 720)


def test_a_source_under_all_steps_is_one_rung_of_its_size() -> None:
    assert sizes(160, 121) == [(160, 120)]


@given(st.integers(1, 8000), st.integers(1, 8000))
def test_rungs_are_even_and_never_above_the_source(width: int, height: int) -> None:
    for wide, high in sizes(width, height):
        assert wide % 2 == 0
        assert high % 2 == 0
        assert wide <= max(2, width + 1)
        assert high <= max(2, height + 1)


@given(st.integers(16, 4000), st.integers(16, 4000))
def test_the_largest_rung_comes_first_and_no_two_share_a_name(width: int, height: int) -> None:
    rungs = ladder.choose(picture(width, height), STEPS, Fraction(24), 23)
    areas = [rung.width * rung.height for rung in rungs]
    assert areas == sorted(areas, reverse=True)
    assert len({rung.name for rung in rungs}) == len(rungs)
    caps = [rung.maxrate_bps for rung in rungs]
    assert caps == sorted(caps, reverse=True)


def test_fast_pictures_may_use_half_as_many_bits_again() -> None:
    slow = ladder.choose(picture(1280, 720), STEPS, Fraction(30), 23)[0]
    fast = ladder.choose(picture(1280, 720), STEPS, Fraction(60), 23)[0]
    assert fast.maxrate_bps * 2 == slow.maxrate_bps * 3


@pytest.mark.parametrize("channels", [1, 2, 6, 8])
def test_every_audio_track_becomes_stereo_and_keeps_its_language(channels: int) -> None:
    (voice,) = ladder.voices([AudioTrack(3, "ac3", channels, 44100, "de", "Kommentar")])
    assert (voice.source_index, voice.channels) == (3, 2)
    assert (voice.language, voice.title) == ("de", "Kommentar")
