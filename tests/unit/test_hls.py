"""HLS playlists: their text, what an independent reader makes of it, and what is measured."""

import re
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate, combinations
from pathlib import Path

import m3u8
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nextstream.domain import hls
from nextstream.domain.hls import Rates
from nextstream.domain.source import Purpose
from nextstream.domain.variants import Wanted
from nextstream.domain.video import Rendition, Segment, Span
from tests.unit.tracks import NTSC, ladder, rung, subtitles, voice

GOLDEN = Path(__file__).parent / "golden"


def with_(segments: tuple[Segment, ...]) -> Rendition:
    return replace(voice(), segments=segments)


segment_lists = st.lists(
    st.tuples(st.integers(1, 400_000), st.integers(1, 4_000_000)), min_size=1, max_size=40
).map(lambda pairs: tuple(Segment(n, *pair) for n, pair in enumerate(pairs, start=1)))
audio = segment_lists.map(with_)


def read(text: str) -> m3u8.M3U8:
    """Read a playlist as strictly as an independent parser can."""
    return m3u8.M3U8(text, strict=True)


def variants(text: str) -> list[tuple[dict[str, str], str]]:
    lines = text.split("\n")
    return [
        (dict(re.findall(r'([A-Z-]+)=("[^"]*"|[^,]*)', line.partition(":")[2])), lines[n + 1])
        for n, line in enumerate(lines)
        if line.startswith("#EXT-X-STREAM-INF:")
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("media.m3u8", hls.media(rung(), 6)),
        ("event.m3u8", hls.media(rung(), 6, ended=False)),
        ("iframes.m3u8", hls.iframes(rung(), 6)),
        ("master.m3u8", hls.master(ladder(), NTSC, "v1/")),
        ("master_of_sound.m3u8", hls.master([voice()], Fraction(25))),
    ],
)
def test_playlists_are_what_was_reviewed(name: str, text: str) -> None:
    assert text == (GOLDEN / name).read_text()


# Media playlists


@given(audio)
def test_durations_of_any_run_add_up_to_the_truth_within_a_microsecond(track: Rendition) -> None:
    durations = [Fraction(d) for d in re.findall(r"#EXTINF:([0-9.]+),", hls.media(track, 6))]
    written = [0, *accumulate(durations)]
    true = [0, *accumulate(Fraction(s.ticks, track.timescale) for s in track.segments)]
    assert len(written) == len(true)
    for first, last in combinations(range(len(true)), 2):
        error = written[last] - written[first] - (true[last] - true[first])
        assert abs(error) <= Fraction(1, 1_000_000)


@given(audio)
def test_no_segment_is_longer_than_the_target_duration(track: Rendition) -> None:
    target = hls.target_s([track])
    playlist = read(hls.media(track, target))
    assert playlist.target_duration == target
    assert max(int(s.duration + 0.5) for s in playlist.segments) <= target


def test_all_renditions_share_the_longest_target_duration() -> None:
    assert hls.target_s(ladder()) == 6
    assert hls.target_s([rung(frames=45), voice(seconds=Fraction(8, 5))]) == 2
    assert hls.target_s([with_((Segment(1, 13 * 24000, 1),))]) == 7  # 6.5 rounds up
    assert hls.target_s([]) == 1


def test_a_finished_playlist_can_not_grow() -> None:
    playlist = read(hls.media(rung(), 6))
    assert playlist.is_endlist
    assert playlist.playlist_type == "vod"
    assert "EXT-X-START" not in hls.media(rung(), 6)


def test_a_growing_playlist_is_played_from_its_start() -> None:
    playlist = read(hls.media(rung(), 6, ended=False))
    assert not playlist.is_endlist
    assert playlist.playlist_type == "event"
    assert playlist.start.time_offset == 0


def test_a_growing_playlist_only_gains_lines_at_its_end() -> None:
    whole = rung(frames=1000)
    for count in range(len(whole.segments)):
        shorter = replace(whole, segments=whole.segments[:count])
        longer = replace(whole, segments=whole.segments[: count + 1])
        assert hls.media(longer, 6, ended=False).startswith(hls.media(shorter, 6, ended=False))


def test_segments_keep_their_numbers_and_the_init_segment_comes_first() -> None:
    playlist = read(hls.media(rung(frames=1000), 6))
    assert [s.uri for s in playlist.segments] == [f"{n:05d}.m4s" for n in range(1, 7)]
    assert playlist.segment_map[0].uri == "init.mp4"
    assert playlist.version == 6


# I-frame playlists


def test_an_iframe_playlist_names_every_keyframe_by_its_bytes() -> None:
    track = rung(frames=300)
    playlist = read(hls.iframes(track, 6))
    spans = [(s.number, k) for s in track.segments for k in s.keyframes]
    assert playlist.is_i_frames_only
    assert [(s.uri, s.byterange) for s in playlist.segments] == [
        (f"{number:05d}.m4s", f"{span.size_bytes}@{span.offset}") for number, span in spans
    ]


@given(st.integers(1, 700), st.sampled_from([Fraction(24), NTSC, Fraction(60000, 1001)]))
def test_an_iframe_playlist_lasts_as_long_as_the_media(frames: int, rate: Fraction) -> None:
    track = rung(frames=frames, rate=rate)
    found = tuple(hls.gops(track))
    assert sum(gop.ticks for gop in found) == sum(s.ticks for s in track.segments)
    assert all(0 < gop.ticks <= track.gop_ticks for gop in found)
    assert all(gop.ticks == track.gop_ticks for gop in found[:-1])


def test_iframe_rates_count_the_bytes_of_keyframes_alone() -> None:
    span = Span(0, 10_000)
    segment = Segment(1, 3 * 60060, 900_000, (span, span, span))
    track = replace(rung(), segments=(segment,))
    assert hls.iframe_bandwidth(track, 6) == Rates(39961, 39961)  # 80 kbit in 2.002 s
    assert hls.bandwidth(track, 6).peak_bps > 1_000_000


# Rates


@given(audio)
def test_the_peak_is_the_worst_run_of_half_to_one_and_a_half_targets(track: Rendition) -> None:
    target = hls.target_s([track])
    runs = [track.segments[a:b] for a, b in combinations(range(len(track.segments) + 1), 2)]
    rates = [
        8 * sum(s.size_bytes for s in run) / Fraction(sum(s.ticks for s in run), track.timescale)
        for run in runs
        if Fraction(1, 2)
        <= Fraction(sum(s.ticks for s in run), track.timescale * target)
        <= Fraction(3, 2)
    ]
    assume(rates)
    assert 0 <= hls.bandwidth(track, target).peak_bps - max(rates) < 1


@given(audio)
def test_the_average_is_all_bits_over_all_seconds(track: Rendition) -> None:
    exact = 8 * track.size_bytes / track.duration_s
    assert 0 <= hls.bandwidth(track, 6).average_bps - exact < 1


def test_a_clip_shorter_than_half_a_target_is_one_run() -> None:
    clip = with_((Segment(1, 24_000, 1000), Segment(2, 24_000, 3000)))
    assert hls.bandwidth(clip, 6) == Rates(32_000, 32_000)


def test_a_short_and_heavy_tail_does_not_count_alone() -> None:
    track = with_((Segment(1, 288_000, 600_000), Segment(2, 4_800, 100_000)))
    assert hls.bandwidth(track, 6).peak_bps == 918_033  # with the segment before, not 8 Mb/s


def test_a_rendition_without_segments_has_no_rate() -> None:
    assert hls.bandwidth(with_(()), 6) == Rates(0, 0)


# The multivariant playlist


def test_a_variant_states_all_that_a_player_chooses_by() -> None:
    stated, uri = variants(hls.master(ladder(), NTSC, "v1/"))[0]
    assert uri == "v1/v720/index.m3u8"
    assert stated["CODECS"] == '"avc1.64001f,mp4a.40.2"'
    assert stated["RESOLUTION"] == "1280x720"
    assert stated["FRAME-RATE"] == "29.970"
    assert stated["CLOSED-CAPTIONS"] == "NONE"
    assert stated["AUDIO"] == '"audio-2"'


def test_rates_of_a_variant_are_those_of_its_picture_and_its_heaviest_sound() -> None:
    heavy = replace(voice("a1"), segments=tuple(replace(s, size_bytes=10**6) for s in voice().segments))
    stated, _ = variants(hls.master([rung(), voice(), heavy], NTSC))[0]
    picture, sound = hls.bandwidth(rung(), 6), hls.bandwidth(heavy, 6)
    assert int(stated["BANDWIDTH"]) == picture.peak_bps + sound.peak_bps
    assert int(stated["AVERAGE-BANDWIDTH"]) == picture.average_bps + sound.average_bps


def test_the_variant_nearest_two_megabits_is_first_and_the_rest_descend() -> None:
    order = [uri for _, uri in variants(hls.master(tuple(reversed(ladder())), NTSC))]
    assert order == ["v720/index.m3u8", "v1080/index.m3u8", "v360/index.m3u8"]


def test_each_rung_has_an_iframe_variant_with_its_own_rate() -> None:
    playlist = read(hls.master(ladder(), NTSC, "v1/"))
    found = {p.uri: p.iframe_stream_info for p in playlist.iframe_playlists}
    assert set(found) == {f"v1/v{side}/iframes.m3u8" for side in (1080, 720, 360)}
    info = found["v1/v720/iframes.m3u8"]
    assert info.bandwidth == hls.iframe_bandwidth(ladder()[1], 6).peak_bps
    assert (info.codecs, info.resolution) == ("avc1.64001f", (1280, 720))


def test_one_track_is_the_default_and_each_language_has_one_automatic_choice() -> None:
    voices = [voice("a0"), voice("a1", language="fra"), voice("a2", title="Commentary")]
    found = read(hls.master([rung(), *voices], NTSC)).media
    assert [m.default for m in found] == ["YES", "NO", "NO"]
    assert [m.autoselect for m in found] == ["YES", "YES", "NO"]
    assert [m.language for m in found] == ["en", "fr", "en"]
    assert [m.name for m in found] == ["English", "French", "Commentary"]


def test_surround_is_a_group_of_its_own_after_stereo() -> None:
    surround = voice("a0-surround", channels=6, codec="ec-3", twin="a0")
    text = hls.master([rung(), surround, voice("a0"), rung("v360", 360, segment_bytes=10**5)], NTSC)
    assert [m.group_id for m in read(text).media] == ["audio-2", "audio-6"]
    assert [m.channels for m in read(text).media] == ["2", "6"]
    assert [(v["AUDIO"], v["CODECS"]) for v, _ in variants(text)] == [
        ('"audio-2"', '"avc1.64001f,mp4a.40.2"'),
        ('"audio-2"', '"avc1.64001f,mp4a.40.2"'),
        ('"audio-6"', '"avc1.64001f,ec-3"'),
        ('"audio-6"', '"avc1.64001f,ec-3"'),
    ]


def test_each_group_of_sound_has_all_tracks_by_the_same_names() -> None:
    voices = [
        voice("a0", title="Film"),
        voice("a1", language="fra"),
        voice("a0-surround", channels=6, title="Film", twin="a0"),
    ]
    found = read(hls.master([rung(), *voices], NTSC)).media
    assert [(m.group_id, m.name, m.channels, m.uri) for m in found] == [
        ("audio-2", "Film", "2", "a0/index.m3u8"),
        ("audio-2", "French", "2", "a1/index.m3u8"),
        ("audio-6", "Film", "6", "a0-surround/index.m3u8"),
        ("audio-6", "French", "2", "a1/index.m3u8"),
    ]


def test_the_source_says_which_sound_is_played_unasked_unless_it_is_for_a_special_use() -> None:
    told = Purpose.DESCRIPTION
    voices = [
        voice("a0", is_default=True, purpose=told),
        voice("a1"),
        voice("a2", is_default=True, language="fra"),
        voice("a3", purpose=Purpose.COMMENTARY, language="spa"),
    ]
    found = read(hls.master([rung(), *voices], NTSC)).media
    assert [m.default for m in found] == ["NO", "NO", "YES", "NO"]
    assert [m.autoselect for m in found] == ["YES", "YES", "YES", "NO"]
    assert [m.name for m in found][::3] == ["English (audio description)", "Spanish (commentary)"]
    assert [m.characteristics for m in found][:2] == ["public.accessibility.describes-video", None]


def test_codecs_follow_each_other_and_the_most_general_is_tried_first() -> None:
    newer = [rung("v720-av1", codec="av01.0.05M.08"), rung("v720-hevc", codec="hvc1.1.6.L93.90")]
    text = hls.master([*newer, *ladder()], NTSC)
    order = [uri.split("/")[0] for _, uri in variants(text)]
    assert order == ["v720", "v1080", "v360", "v720-hevc", "v720-av1"]
    assert {p.uri.split("/")[0] for p in read(text).iframe_playlists} == set(order)


# Subtitles


def test_every_variant_has_the_subtitles_and_none_is_shown_unasked() -> None:
    texts = [
        subtitles("t0"),
        subtitles("t1", purpose=Purpose.CAPTIONS),
        subtitles("t2", purpose=Purpose.FORCED, language="fra", title="Signs"),
    ]
    text = hls.master([*ladder(), *texts], NTSC, "v1/")
    assert [stated["SUBTITLES"] for stated, _ in variants(text)] == ['"text"'] * 3
    assert "SUBTITLES" not in "".join(line for line in text.split("\n") if "I-FRAME" in line)
    found = [m for m in read(text).media if m.type == "SUBTITLES"]
    assert [(m.name, m.default, m.autoselect, m.forced, m.uri) for m in found] == [
        ("English", "NO", "YES", "NO", "v1/t0/index.m3u8"),
        ("English (SDH)", "NO", "YES", "NO", "v1/t1/index.m3u8"),
        ("Signs", "NO", "YES", "YES", "v1/t2/index.m3u8"),
    ]
    assert "transcribes-spoken-dialog" in str(found[1].characteristics)


def test_a_playlist_of_subtitles_is_one_file_for_the_whole_video() -> None:
    playlist = read(hls.text(subtitles()))
    assert [(s.uri, s.duration) for s in playlist.segments] == [("text.vtt", 10.01)]
    assert playlist.target_duration == 11
    assert playlist.is_endlist


def test_subtitles_change_neither_the_target_nor_the_rates_of_the_rest() -> None:
    without = hls.master(ladder(), NTSC)
    with_text = hls.master([*ladder(), subtitles()], NTSC)
    assert hls.target_s([*ladder(), subtitles()]) == hls.target_s(ladder())
    kept = [line for line in with_text.split("\n") if "TYPE=SUBTITLES" not in line]
    assert "\n".join(kept).replace(',SUBTITLES="text"', "") == without


def test_a_silent_video_names_no_sound() -> None:
    text = hls.master([rung()], NTSC)
    assert "AUDIO" not in text
    assert "mp4a" not in text


def test_sound_alone_is_one_plain_variant() -> None:
    text = hls.master([voice()], Fraction(25), "v1/")
    [(stated, uri)] = variants(text)
    assert uri == "v1/a0/index.m3u8"
    assert stated.keys().isdisjoint({"RESOLUTION", "FRAME-RATE", "AUDIO"})
    assert "EXT-X-MEDIA" not in text
    assert "I-FRAME" not in text


def test_sound_alone_in_two_languages_can_be_chosen() -> None:
    text = hls.master([voice("a0"), voice("a1", language="fra")], Fraction(25))
    [(stated, uri)] = variants(text)
    assert (stated["AUDIO"], uri) == ('"audio-2"', "a0/index.m3u8")
    assert int(stated["BANDWIDTH"]) == hls.bandwidth(voice(), 6).peak_bps  # one is played at a time
    assert [m.uri for m in read(text).media] == ["a0/index.m3u8", "a1/index.m3u8"]


def test_estimates_stand_in_until_rates_can_be_measured() -> None:
    opening = replace(rung(), segments=rung().segments[:1])
    text = hls.master([opening, voice()], NTSC, estimates={"v720": Rates(4_000_000, 2_500_000)})
    [(stated, _)] = variants(text)
    sound = hls.bandwidth(voice(), 6)
    assert int(stated["BANDWIDTH"]) == 4_000_000 + sound.peak_bps
    assert int(stated["AVERAGE-BANDWIDTH"]) == 2_500_000 + sound.average_bps
    assert "I-FRAME" not in text


@given(st.text(), st.text(), st.text())
def test_no_title_or_language_can_break_out_of_its_quotes(title: str, other: str, language: str) -> None:
    voices = [voice("a0", title=title), voice("a1", title=other, language=language)]
    plain = hls.master([rung(), voice("a0"), voice("a1")], NTSC)
    text = hls.master([rung(), *voices], NTSC)
    text.encode()
    assert len(text.splitlines()) == len(plain.splitlines())
    assert [line.count('"') for line in text.split("\n")] == [
        line.count('"') for line in plain.split("\n")
    ]
    names = [m.name for m in read(text).media]
    assert len(set(names)) == len(names) == 2


# Filtering


FULL = hls.master(
    [*ladder(), rung("v240", 240, segment_bytes=10**5), voice("a2", channels=6, twin="a0")], NTSC, "v1/"
)


def names_in(text: str) -> set[str]:
    """Give the rungs that any line of a master names."""
    return set(re.findall(r"v1/(v\d+)/", text))


@pytest.mark.parametrize(
    ("bounds", "left"),
    [
        ({}, {"v1080", "v720", "v360", "v240"}),
        ({"max_height": 720}, {"v720", "v360", "v240"}),
        ({"min_height": 360}, {"v1080", "v720", "v360"}),
        ({"min_height": 360, "max_height": 719}, {"v360"}),
        ({"max_height": 100}, {"v240"}),
        ({"min_height": 2000}, {"v1080"}),
        ({"min_height": 700, "max_height": 700}, {"v720"}),
        ({"min_height": 1000, "max_height": 300}, {"v720", "v360"}),
    ],
)
def test_a_filter_keeps_what_is_in_bounds_or_else_what_is_nearest(
    bounds: dict[str, int], left: set[str]
) -> None:
    text = hls.filter_master(FULL, Wanted(**bounds))
    assert names_in(text) == left
    assert {uri.split("/")[1] for _, uri in variants(text)} == left
    assert {p.uri.split("/")[1] for p in read(text).iframe_playlists} == left


@given(st.integers(1, 3000), st.integers(1, 3000))
def test_a_filter_only_takes_whole_lines_of_variants_away(low: int, high: int) -> None:
    text = hls.filter_master(FULL, Wanted(min_height=low, max_height=high))
    dropped = names_in(FULL) - names_in(text)
    sizes = {f"{int(name[1:]) * 16 // 9}x{name[1:]}" for name in dropped}
    expected = [
        line
        for line in FULL.split("\n")
        if not any(f"/{name}/" in line for name in dropped)
        and not (line.startswith("#EXT-X-STREAM-INF") and any(f"={size}," in line for size in sizes))
    ]
    assert text.split("\n") == expected


def test_a_filter_measures_a_portrait_picture_by_its_short_side() -> None:
    portrait = [rung("v720", width=720, height=1280), rung("v360", width=360, height=640)]
    text = hls.filter_master(hls.master(portrait, NTSC, "v1/"), Wanted(max_height=720))
    assert names_in(text) == {"v720", "v360"}


def test_a_filter_leaves_sound_alone() -> None:
    text = hls.master([voice("a0"), voice("a1", language="fra")], Fraction(25))
    assert hls.filter_master(text, Wanted(max_height=1)) == text


def test_a_filter_is_not_fooled_by_what_is_quoted_or_by_foreign_line_ends() -> None:
    text = (
        "#EXTM3U\r\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=1,NAME="a,RESOLUTION=1x1",RESOLUTION=1920x1080\r\n'
        "# between\r\n"
        "\r\n"
        "high.m3u8\r\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360\r\n"
        "low.m3u8"
    )
    assert hls.filter_master(text, Wanted(max_height=400)) == (
        "#EXTM3U\r\n# between\r\n\r\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360\r\nlow.m3u8"
    )
