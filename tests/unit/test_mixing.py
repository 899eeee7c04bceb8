import pytest

from nextstream.domain import ladder, mixing
from nextstream.domain.source import AudioTrack


@pytest.mark.parametrize(
    ("layout", "channels"),
    [("stereo", 2), ("5.1(side)", 6), ("22.2", 24), ("unknown", 8), ("", 2)],
)
def test_what_ffmpeg_can_mix_is_left_to_it(layout: str, channels: int) -> None:
    assert mixing.stereo(layout, channels) == ""


@pytest.mark.parametrize("layout", ["1 channels (BL)", "ambisonic 0"])
def test_a_single_channel_of_any_place_is_heard_from_both_sides(layout: str) -> None:
    assert mixing.stereo(layout, 1) == "stereo|c0=c0|c1=c0"


@pytest.mark.parametrize("layout", ["mono", ""])
def test_a_mono_sound_that_turns_stereo_keeps_its_sides(layout: str) -> None:
    assert mixing.stereo(layout, 1) == "stereo|FL=FL+FC|FR=FR+FC"


@pytest.mark.parametrize(
    ("layout", "left", "right"),
    [
        ("2 channels (SL+SR)", "0.990*c0", "0.990*c1"),
        ("2 channels (FL+FC)", "0.582*c0+0.408*c1", "0.990*c1"),
        ("2 channels (FLC+FRC)", "0.990*c0", "0.990*c1"),
        ("3 channels (LFE+FL+FR)", "0.990*c1", "0.990*c2"),
        ("binaural", "0.990*c0", "0.990*c1"),
    ],
)
def test_each_channel_goes_to_its_own_side_and_the_middle_to_both(
    layout: str, left: str, right: str
) -> None:
    assert mixing.stereo(layout, 2) == f"stereo|c0={left}|c1={right}"


def test_channels_of_no_side_are_taken_as_they_come() -> None:
    assert mixing.stereo("2 channels (LFE+USR70)", 2) == "stereo|c0=0.990*c0|c1=0.990*c1"


@pytest.mark.parametrize("layout", ["", "unknown", "16 channels"])
def test_of_many_channels_of_no_known_places_the_first_eight_are_those_of_7_1(layout: str) -> None:
    mix = mixing.stereo(layout, 16)
    assert "c2+" in mix
    assert "c8" not in mix


def test_sound_from_all_around_is_heard_from_its_left_and_its_right() -> None:
    assert mixing.stereo("ambisonic 1", 4) == "stereo|c0=0.5*c0+0.5*c1|c1=0.5*c0-0.5*c1"


def test_surround_sound_is_made_only_of_known_places() -> None:
    tracks = [AudioTrack(0, "pcm", 16, 48000, layout="unknown"), AudioTrack(1, "aac", 6, 48000)]
    voices = ladder.voices(tracks)
    assert [voice.name for voice in voices] == ["a0", "a1", "a1-surround"]
    assert [bool(voice.mix) for voice in voices] == [True, False, False]
