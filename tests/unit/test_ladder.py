from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextstream.domain import ladder, levels
from nextstream.domain.source import AudioTrack, VideoTrack
from nextstream.domain.video import Rendition
from nextstream.settings import Settings
from tests.unit.tracks import rung, subtitles, voice

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


def test_a_source_above_all_steps_is_made_smaller() -> None:
    assert sizes(7680, 4320)[0] == (1920, 1080)


@pytest.mark.parametrize(
    ("width", "height"), [(16, 20_000), (20_000, 16), (2, 65_535), (64_000, 180), (30_000, 1_100)]
)
def test_no_rung_is_longer_than_players_can_show(width: int, height: int) -> None:
    made = sizes(width, height)
    assert all(2 <= side <= 8192 for size in made for side in size)
    assert max(made[0]) > 7000
    assert len(set(made)) == len(made)


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
    voice = ladder.voices([AudioTrack(3, "ac3", channels, 44100, "de", "Kommentar")])[0]
    assert (voice.source_index, voice.channels) == (3, 2)
    assert (voice.language, voice.title) == ("de", "Kommentar")


@pytest.mark.parametrize("channels", [6, 8])
def test_surround_sound_is_kept_beside_its_stereo(channels: int) -> None:
    tracks = [AudioTrack(1, "aac", 2, 48000), AudioTrack(2, "ac3", channels, 48000, "de")]
    found = [(v.name, v.source_index, v.channels, v.twin) for v in ladder.voices(tracks)]
    assert found == [("a0", 1, 2, ""), ("a1", 2, 2, ""), ("a1-surround", 2, 6, "a1")]


def test_a_picture_too_small_for_two_steps_has_two_rates_all_the_same() -> None:
    def names(height: int, heights: tuple[int, ...], tops: int = 2) -> list[str]:
        rungs = ladder.choose(picture(height, height), heights, Fraction(24), 23, tops)
        return [rung.name for rung in rungs]

    assert names(200, (360, 240)) == ["v200", "v200-low"]
    assert names(200, (360, 240), tops=1) == ["v200"]
    assert names(240, (240,)) == ["v240"]  # as many as were asked for


@pytest.mark.parametrize(
    ("height", "names"), [(720, ["v720", "v720-low", "v480"]), (600, ["v600", "v480"])]
)
def test_hd_has_a_second_rung_of_the_top_size_and_a_lower_rate(height: int, names: list[str]) -> None:
    rungs = ladder.choose(picture(height * 16 // 9, height), (720, 480), Fraction(24), 23, tops=2)
    assert [rung.name for rung in rungs] == names
    if height == ladder.HD_SIDE:
        top, low = rungs[:2]
        assert (low.width, low.height) == (top.width, top.height)
        assert low.maxrate_bps < 0.7 * top.maxrate_bps
        assert low.crf > top.crf


def test_each_codec_has_a_ladder_of_its_own_with_names_that_differ() -> None:
    rungs = ladder.choose(
        picture(1280, 720),
        STEPS,
        Fraction(24),
        23,
        tops=2,
        codecs=(ladder.H264, ladder.HEVC, ladder.AV1),
    )
    assert len({rung.name for rung in rungs}) == len(rungs) == 13
    caps = {
        rung.codec: rung.maxrate_bps for rung in rungs if rung.name in ("v720", "v720-hevc", "v720-av1")
    }
    assert caps["h264"] > caps["hevc"] > caps["av1"]
    assert [rung.codec for rung in rungs if rung.name == "v720-low"] == ["h264"]


@pytest.mark.parametrize(
    ("size", "rate", "top"),
    [
        ((4032, 3024), 25, (2880, 2160)),  # a phone's photo
        ((7680, 4320), 30, (3840, 2160)),
        ((5760, 2880), 30, (4320, 2160)),  # all around
        ((5760, 2880), 60, (4192, 2096)),
        ((5120, 2160), 60, (4560, 1924)),
        ((1080, 16000), 24, (552, 8178)),
    ],
)
def test_no_picture_is_larger_than_the_decoders_of_players_can_take(
    size: tuple[int, int], rate: int, top: tuple[int, int]
) -> None:
    rungs = ladder.choose(picture(*size), Settings().sides, Fraction(rate), 23, tops=2)
    assert (rungs[0].width, rungs[0].height) == top
    assert all(levels.fits(rung.width, rung.height, Fraction(rate)) for rung in rungs)


@pytest.mark.parametrize(
    ("size", "codecs"), [((40, 30), ["h264"]), ((640, 64), ["h264", "hevc", "av1"])]
)
def test_what_other_encoders_break_down_on_is_made_by_x264_alone(
    size: tuple[int, int], codecs: list[str]
) -> None:
    rungs = ladder.choose(picture(*size), STEPS, Fraction(24), 23, codecs=ladder.CODECS)
    assert [rung.codec for rung in rungs] == codecs
    for codec in (ladder.HEVC, ladder.AV1):
        alone = ladder.choose(picture(*size), STEPS, Fraction(24), 23, codecs=(codec,))
        assert [rung.codec for rung in alone] == [codec.name if codec.name in codecs else "h264"]


def test_a_large_source_has_rungs_above_full_hd_by_default() -> None:
    rungs = ladder.choose(picture(3840, 2160), Settings().sides, Fraction(24), 23)
    assert [min(r.width, r.height) for r in rungs] == [2160, 1440, 1080, 720, 480, 360, 240]
    assert len(ladder.choose(picture(1920, 1080), Settings().sides, Fraction(24), 23)) == 5


def merged(*rungs: Rendition) -> list[str]:
    return [rung.name for rung in ladder.merge(rungs)]


def test_rungs_of_nearly_the_same_rate_are_one_and_the_larger_picture_stays() -> None:
    top = rung("v720", 720, segment_bytes=1_000_000)
    assert merged(top, rung("v480", 480, segment_bytes=885_000)) == ["v720"]
    assert merged(top, rung("v480", 480, segment_bytes=870_000)) == ["v720", "v480"]
    assert merged(rung("v480", 480, segment_bytes=2_000_000), top, voice()) == ["v720", "a0"]


def test_of_two_rungs_of_one_size_the_better_one_stays() -> None:
    low = rung("v720-low", 720, segment_bytes=950_000)
    assert merged(low, rung("v720", 720, segment_bytes=1_000_000)) == ["v720"]


def test_a_rung_is_compared_with_the_last_that_stayed() -> None:
    sizes = (1_000_000, 900_000, 800_000, 700_000)
    rungs = [rung(f"v{720 - n}", 720 - n, segment_bytes=size) for n, size in enumerate(sizes)]
    assert merged(*rungs) == ["v720", "v718", "v717"]


def test_codecs_are_merged_each_for_itself_and_what_is_merged_stays_as_it_is() -> None:
    rungs = [rung("v720"), rung("v720-hevc", codec="hvc1.1.6.L93.90"), rung("v480", 480), subtitles()]
    kept = ladder.merge(rungs)
    assert [r.name for r in kept] == ["v720", "v720-hevc", "t0"]
    assert ladder.merge(kept) == kept


@pytest.mark.parametrize(
    "size", [(7680, 2160), (16384, 2048), (32000, 240), (2048, 16384), (7680, 4320)]
)
def test_a_picture_larger_than_players_decode_keeps_its_shape(size: tuple[int, int]) -> None:
    track = VideoTrack(0, "h264", *size, Fraction(30), Fraction(0), Fraction(10))
    top = ladder.choose(track, tuple(ladder.MAXRATES_BPS), Fraction(30), 23)[0]
    assert levels.fits(top.width, top.height, Fraction(30))
    wide = Fraction(max(size), min(size))
    assert abs(Fraction(max(top.width, top.height), min(top.width, top.height)) - wide) < wide / 30
