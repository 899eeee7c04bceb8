"""What a source promised is compared with what is there."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from nextstream.domain import damage, packets, trial
from nextstream.domain.source import SourceInfo, VideoTrack
from nextstream.errors import SourceTruncated

MS = Fraction(1, 1000)
FRAME_S = Fraction(40, 1000)


def promised(seconds: int = 100, form: str = "mov,mp4") -> SourceInfo:
    track = VideoTrack(0, "h264", 1280, 720, Fraction(25), Fraction(0), Fraction(seconds))
    return SourceInfo(form, Fraction(0), Fraction(seconds), 10**6, track)


def there(source: SourceInfo, seconds: float) -> SourceInfo:
    assert source.video
    return replace(source, video=replace(source.video, end_s=Fraction(seconds)))


def unclocked(*lines: str) -> packets.Survey:
    return packets.survey(packets.without_clock(packets.read(lines), MS, FRAME_S), MS, FRAME_S)


def survey(*lines: str) -> packets.Survey:
    return packets.survey(packets.read(lines), MS, FRAME_S)


def test_a_source_that_ends_early_is_made_and_says_what_is_lost() -> None:
    (caution,) = damage.judge(there(promised(), 70), promised()).warnings
    assert (caution.code, caution.lost_s) == ("source_damaged", 30)
    assert "30.0 s of 100.0 s" in caution.message


def test_a_source_with_less_than_half_there_is_truncated() -> None:
    with pytest.raises(SourceTruncated):
        damage.judge(there(promised(), 49), promised())


def test_a_frame_or_a_rounded_header_is_no_damage() -> None:
    assert damage.judge(there(promised(), 99.5), promised()).warnings == ()


@pytest.mark.parametrize("form", ["mxf", "rm", "avi", "flv", "asf", "matroska,webm"])
def test_formats_whose_headers_know_their_length_are_held_to_it(form: str) -> None:
    with pytest.raises(SourceTruncated):
        damage.judge(there(promised(form=form), 49), promised(form=form))


def test_formats_that_guess_their_length_promise_nothing() -> None:
    assert damage.judge(there(promised(form="mp3"), 30), promised(form="mp3")).warnings == ()


def test_what_the_probe_and_the_encode_lost_is_added_up() -> None:
    cut = damage.judge(there(promised(), 70), promised())
    (caution,) = damage.note(cut, Fraction(5), Fraction(100)).warnings
    assert caution.lost_s == 35
    with pytest.raises(SourceTruncated):
        damage.note(cut, Fraction(30), Fraction(100))


def test_what_is_broken_before_a_chunk_is_not_its_own() -> None:
    words = damage.Words(counts_broken=False)
    for line in (
        "[Parsed_fps_0 @ 0x1] 490 frames in, 100 frames out; 390 frames dropped, 3 frames duplicated.",
        "[in#0/avi @ 0x1]   Input stream #0:0 (video): 500 packets read (1 bytes); 490 frames decoded; "
        "10 decode errors;",
        "[vist#0:0/h264 @ 0x1] corrupt decoded frame",
    ):
        words.hear(line)
    assert [words.lost(expected) for expected in (100, 102)] == [3, 5]  # of holes, those in it


def test_a_chunk_lost_what_it_should_have_found_and_what_is_broken() -> None:
    words = damage.Words()
    for line in (
        "[Parsed_fps_0 @ 0x1] 90 frames in, 100 frames out; 0 frames dropped, 10 frames duplicated.",
        "[in#0/mpegts @ 0x1]   Input stream #0:0 (video): 90 packets read (1 bytes); 88 frames decoded; "
        "2 decode errors;",
        "[vist#0:0/h264 @ 0x1] corrupt decoded frame",
    ):
        words.hear(line)
    assert (words.lost(100), words.broken(100)) == (3, 1)
    assert (words.lost(2), words.broken(2)) == (2, 0)


def test_what_does_not_decode_at_the_end_is_lost_once() -> None:
    words = damage.Words()
    words.hear(
        "[Parsed_fps_0 @ 0x1] 115 frames in, 120 frames out; 0 frames dropped, 5 frames duplicated."
    )
    words.hear("Input stream #0:0 (video): 200 packets read; 115 frames decoded; 85 decode errors;")
    assert words.lost(150) == 35  # at the chunk's end, and five before it


def test_frames_that_are_shown_though_broken_are_told_and_refuse_nothing() -> None:
    source = promised()
    (caution,) = damage.note(source, Fraction(90), Fraction(100), broken_s=Fraction(60)).warnings
    assert caution.lost_s == 90
    with pytest.raises(SourceTruncated):
        damage.note(source, Fraction(90), Fraction(100), broken_s=Fraction(30))


def test_packets_tell_the_end_also_out_of_order_and_without_those_an_edit_list_cuts() -> None:
    found = survey("0,0,40,K__", "80,40,40,___", "40,80,40,___", "120,120,40,_D_")
    assert (found.count, found.end_s, found.jumps) == (3, 120 * MS, 0)


def test_packets_without_times_last_as_long_as_their_durations() -> None:
    found = survey("N/A,N/A,40,K__", "N/A,N/A,40,___", "N/A,N/A,40,___")
    assert (found.end_s, found.length_s) == (None, 120 * MS)


def test_bare_pictures_last_a_frame_whatever_their_packets_say_but_half_of_one_for_a_field() -> None:
    found = unclocked("0,-1,1,K__", "1,0,9000000,___", "N/A,N/A,20,___", "N/A,N/A,20,___")
    assert (found.count, found.end_s, found.length_s, found.jumps) == (4, None, 120 * MS, 0)


def test_pictures_that_do_not_all_say_when_they_are_shown_end_as_late_as_their_order_needs() -> None:
    lines = ("40,0,40,K__", "N/A,40,40,___", "80,80,40,___")
    assert packets.survey(packets.read(lines), MS, FRAME_S, delay=1).end_s == 160 * MS
    said = (*lines[:1], "120,40,40,___", *lines[2:])
    assert packets.survey(packets.read(said), MS, FRAME_S, delay=1).end_s == 160 * MS


def test_a_clock_that_jumps_counts_as_going_on() -> None:
    found = survey("0,0,40,K__", "40,40,40,___", "900000,900000,40,K__", "20,20,40,K__", "60,60,40,___")
    assert (found.jumps, found.length_s) == (2, 200 * MS)


def test_a_clock_that_can_only_go_on_has_a_gap_where_it_goes_on_late() -> None:
    lines = ("0,0,40,K__", "40,40,40,___", "60000,60000,40,K__")
    found = packets.survey(packets.read(lines), MS, FRAME_S, skips=False)
    assert (found.jumps, found.longest_gap_s, found.length_s) == (0, 59_960 * MS, 60_040 * MS)


@pytest.mark.parametrize(
    ("decoded", "verdict"),
    [
        (trial.Decoded(3, 3, 0), True),
        (trial.Decoded(28, 3, 25), None),  # the first keyframe may be broken
        (trial.Decoded(0, 0, 0), None),
        (trial.Decoded(90, 0, 90), False),
    ],
)
def test_a_track_whose_beginning_is_broken_is_looked_at_for_longer(
    decoded: trial.Decoded, verdict: bool | None
) -> None:
    source = promised()
    assert trial.verdicts(source, {0: decoded}) == {0: verdict}
    first, patient = (trial.command("ffmpeg", "x", source, window) for window in (trial.WINDOW_S, None))
    assert first[first.index("-frames:v") + 1] == "3"
    assert patient[patient.index("-frames:v") + 1] == "300"


def test_a_track_whose_decoder_does_not_open_is_told_from_one_that_gives_errors() -> None:
    words = [
        "[aac @ 0x5] Audio object type 21 is not implemented.",
        "[aist#0:3/aac @ 0x5] [dec:aac @ 0x6] Error while opening decoder: Function not implemented",
    ]
    assert trial.unopened(words) == 3
    assert trial.unopened(words[:1]) is None
    source = promised()
    assert source.video is not None
    assert trial.without(source, source.video.index).video is None
    assert trial.without(source, 3) == source


def test_a_time_far_from_where_its_packet_stands_is_not_believed() -> None:
    found = survey("0,0,40,K__", "40,40,40,___", "900000,80,40,___", "120,120,40,___")
    assert (found.end_s, found.jumps) == (160 * MS, 0)


def test_the_longest_gap_is_found() -> None:
    assert survey("0,0,40,K__", "5000,5000,40,___").longest_gap_s == 5
