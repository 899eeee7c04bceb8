"""Tracks are read from what ffprobe says, in the measures they are shown in."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextstream.domain import packets, probe, tracks, trial
from nextstream.domain.source import Grid, Tile
from nextstream.errors import (
    MediaError,
    SourceEncrypted,
    SourceNotVideo,
    SourceRefused,
    SourceTooLarge,
    SourceTooManyStreams,
    SourceTruncated,
    SourceUnsupported,
)

ZERO = Fraction(0)
H264 = frozenset({"h264", "aac", "mjpeg"})


def stream(**changes: Any) -> dict[str, Any]:
    return {
        "index": 0,
        "codec_type": "video",
        "codec_name": "h264",
        "width": 720,
        "height": 576,
        "time_base": "1/90000",
        "start_pts": 0,
        "r_frame_rate": "25/1",
        "avg_frame_rate": "25/1",
        **changes,
    }


def sound(**changes: Any) -> dict[str, Any]:
    return stream(codec_type="audio", codec_name="aac", sample_rate="48000", channels=2, **changes)


def matrix(a: int, b: int, c: int, d: int) -> dict[str, Any]:
    rows = ((a, b, 0), (c, d, 0), (0, 0, 16384))
    text = "\n".join(
        f"0000000{n}: " + " ".join(f"{v * 65536:12}" for v in r) for n, r in enumerate(rows)
    )
    return stream(side_data_list=[{"displaymatrix": f"\n{text}\n"}])


@pytest.mark.parametrize(
    ("numbers", "turned", "mirrored"),
    [
        ((1, 0, 0, 1), 0, False),
        ((0, 1, -1, 0), 90, False),
        ((-1, 0, 0, -1), 180, False),
        ((0, -1, 1, 0), 270, False),
        ((-1, 0, 0, 1), 0, True),
        ((1, 0, 0, -1), 180, True),
        ((0, 1, 1, 0), 270, True),
        ((0, -1, -1, 0), 90, True),
    ],
)
def test_all_eight_orientations_of_a_display_matrix(
    numbers: tuple[int, int, int, int], turned: int, mirrored: bool
) -> None:
    track = tracks.video(matrix(*numbers), ZERO, ZERO)
    assert (track.turned, track.mirrored) == (turned, mirrored)
    assert (track.width, track.height) == ((576, 720) if turned % 180 else (720, 576))


def test_what_a_container_cuts_off_is_no_part_of_the_picture() -> None:
    sides = [{"crop_top": 8, "crop_bottom": 8, "crop_left": 16, "crop_right": 24}]
    track = tracks.video(stream(side_data_list=sides), ZERO, ZERO)
    assert (track.width, track.height) == (680, 560)


def test_pixels_that_are_not_square_widen_the_picture() -> None:
    track = tracks.video(stream(sample_aspect_ratio="64:45"), ZERO, ZERO)
    assert (track.width, track.height) == (1024, 576)


@pytest.mark.parametrize(
    ("order", "fields"), [("tt", "tff"), ("tb", "tff"), ("bb", "bff"), ("bt", "bff")]
)
def test_fields_double_the_rate_and_the_first_letter_says_which_is_shown_first(
    order: str, fields: str
) -> None:
    track = tracks.video(stream(field_order=order), ZERO, ZERO)
    assert (track.fields, track.rate) == (fields, 50)


@pytest.mark.parametrize(
    ("nominal", "average", "rate"),
    [
        ("30/1", "12/1", 30),  # frames left out in the dark
        ("60/1", "15/1", 60),  # a screen that stands still most of the time
        ("30000/1001", "8/1", Fraction(30000, 1001)),
        ("48/1", "15/1", 15),  # no rate that anything has
        ("50/1", "25/1", 25),  # fields are counted
        ("90000/1", "25/1", 25),  # a clock's
        ("60/1", "1000/1", 60),
        ("25/1", "0/0", 25),
        ("90000/1", "0/0", 25),
    ],
)
def test_the_rate_is_the_pictures_and_not_the_clocks(
    nominal: str, average: str, rate: int | Fraction
) -> None:
    assert tracks.video(stream(r_frame_rate=nominal, avg_frame_rate=average), ZERO, ZERO).rate == rate


@pytest.mark.parametrize("unit", ["0/1", "1/0", "0/0", "-1/1000", "N/A", ""])
def test_a_unit_of_time_that_is_none_is_that_of_mpeg(unit: str) -> None:
    found = {"streams": [stream(time_base=unit, start_pts=180_000)]}
    assert probe.parse_time_base(found, 0) == Fraction(1, 90_000)
    assert tracks.video(found["streams"][0], ZERO, Fraction(9)).start_s == 2


@pytest.mark.parametrize(
    "length", ["N/A", "99:00", "1" * 5000 + ":00:00", "1:00:00." + "0" * 5000], ids=len
)
def test_a_length_that_is_none_is_not_known(length: str) -> None:
    assert tracks.audio(sound(tags={"DURATION": length}), ZERO).end_s == ZERO


RATES = st.sampled_from(["0/0", "0/1", "1/0", "25/1", "90000/1", "2147483647/1", "1/2147483647"])
SECONDS = st.sampled_from(["N/A", "", "0.000000", "-5.500000", "12.5", "9223372036854.775807"])
STREAMS = st.fixed_dictionaries(
    {"index": st.just(0), "time_base": RATES},
    optional={
        "codec_type": st.sampled_from(["video", "audio", "subtitle", "unknown"]),
        "codec_name": st.sampled_from(["h264", "aac", "subrip", "other"]),
        "width": st.integers(0, 65535),
        "height": st.integers(0, 65535),
        "sample_aspect_ratio": st.sampled_from(["N/A", "0:1", "1:0", "2147483647:1", "1:2147483647"]),
        "r_frame_rate": RATES,
        "avg_frame_rate": RATES,
        "start_pts": st.integers(-(2**63), 2**63 - 1),
        "duration": SECONDS,
        "nb_frames": SECONDS,
        "sample_rate": st.sampled_from(["0", "-1", "48000", "2147483647"]),
        "channels": st.integers(-1, 2**31 - 1),
        "has_b_frames": st.integers(-(2**31), 2**31 - 1),
        "tags": st.dictionaries(st.sampled_from(["language", "title", "DURATION"]), st.text()),
    },
)
FORMATS = st.fixed_dictionaries(
    {},
    optional={
        "format_name": st.sampled_from(["avi", "asf", "matroska,webm", "mov,mp4", "h264"]),
        "start_time": SECONDS,
        "duration": SECONDS,
    },
)
NUMBERS = st.sampled_from(["N/A", ""]) | st.integers(-(2**63), 2**63 - 1).map(str)
PACKETS = st.tuples(NUMBERS, NUMBERS, NUMBERS, st.sampled_from(["K__", "_D_", ""])).map(",".join)


@settings(deadline=None)
@given(STREAMS, FORMATS, st.lists(PACKETS | st.text(), max_size=4))
def test_whatever_ffprobe_says_is_read_or_is_an_error_of_ours(
    said: dict[str, Any], form: dict[str, Any], lines: list[str]
) -> None:
    found = {"streams": [said], "format": form}
    try:
        info = probe.parse(found, H264)
    except MediaError:
        return
    frame_s = info.video.frame_s if info.video else Fraction(1, 50)
    listed: Iterable[packets.Packet] = packets.read(lines)
    base = probe.parse_time_base(found, 0)
    if not probe.has_clock(info.format):
        listed = packets.without_clock(listed, base, frame_s)
    packets.survey(listed, base, frame_s, probe.parse_delay(found, 0))


def test_color_is_kept_where_it_is_known_and_full_range_in_the_formats_with_a_j() -> None:
    color = tracks.video(stream(color_transfer="smpte2084", color_space="reserved"), ZERO, ZERO).color
    assert (color.transfer, color.matrix, color.is_hdr) == ("smpte2084", "", True)
    assert tracks.video(stream(pix_fmt="yuvj420p"), ZERO, ZERO).color.is_full_range


def test_the_default_track_is_the_film_and_cover_art_is_none() -> None:
    found = probe.parse(
        {
            "streams": [
                stream(index=0, codec_name="mjpeg", disposition={"attached_pic": 1}),
                stream(index=1),
                stream(index=2, disposition={"default": 1}),
            ]
        },
        H264,
    )
    assert found.video is not None
    assert found.video.index == 2


def test_of_default_tracks_the_one_that_moves_is_the_film() -> None:
    default = {"disposition": {"default": 1}}
    still, moving = stream(index=0, nb_frames="1", **default), stream(index=1, nb_frames="20", **default)
    other = stream(index=2, nb_frames="20")

    def chosen(*streams: dict[str, Any]) -> int:
        found = probe.parse({"streams": streams}, H264)
        assert found.video is not None
        return found.video.index

    assert chosen(still, moving, other) == 1  # as in an animated AVIF
    assert chosen(still, other) == 0


def test_a_picture_that_starts_late_ends_where_the_file_does_unless_it_has_a_length_of_its_own() -> None:
    late = stream(start_pts=5 * 90000)
    assert tracks.video(late, Fraction(1), Fraction(20)).end_s == 21
    assert tracks.video(late, Fraction(1), ZERO).end_s == 5
    assert tracks.video(late | {"duration": "12"}, Fraction(1), Fraction(20)).end_s == 17


def mosaic(**changes: Any) -> dict[str, Any]:
    """Give what ffprobe says of a photo of two tiles beside its preview, which isn't the default."""
    tiles = [
        {"stream_index": n, "tile_horizontal_offset": 512 * n, "tile_vertical_offset": 0} for n in (0, 1)
    ]
    whole = {"width": 1000, "height": 500, "horizontal_offset": 0, "vertical_offset": 0}
    group = {"type": "Tile Grid", "disposition": {"default": 1}}
    tile = {"width": 512, "height": 512, "disposition": {"dependent": 1}}
    return {
        "streams": [stream(**tile), stream(index=1, **tile), stream(index=2, width=320, height=240)],
        "stream_groups": [{**group, "components": [{**whole, "subcomponents": tiles}], **changes}],
    }


def test_a_picture_of_tiles_is_the_whole_and_no_tile_or_preview() -> None:
    found = probe.parse(mosaic(), H264)
    assert found.video is not None
    assert (found.video.width, found.video.height) == (1000, 500)
    assert found.video.grid == Grid((Tile(0, 0, 0), Tile(1, 512, 0)), 0, 0, 1000, 500)
    assert found.streams == 2


def test_a_picture_of_tiles_is_turned_as_ffmpeg_says_of_the_whole() -> None:
    found = probe.parse(mosaic(), H264)
    assert found.video is not None
    matrix = "      Display Matrix: rotation of {}.00 degrees"
    group = ["  Stream group #0:0: Tile Grid: hevc", "    Side data:", matrix.format(-90)]
    turned = trial.turn(found.video, [*group, "  Stream #0:2: Video: hevc", matrix.format(0)])
    assert (turned.turned, turned.width, turned.height) == (90, 500, 1000)
    preview = ["  Stream group #0:0: Tile Grid: hevc", "  Stream #0:2: Video: hevc", matrix.format(-90)]
    assert trial.turn(found.video, preview).turned == 0


def test_an_avi_file_that_was_cut_off_is_held_to_the_frames_its_header_counts() -> None:
    cut = {
        "format": {"format_name": "avi", "duration": "6"},
        "streams": [stream(duration="6.000000", nb_frames="200"), sound(duration="6.048000")],
    }
    video = probe.parse(cut, H264).video
    assert video is not None
    assert video.end_s == 8


def test_a_sound_ends_where_its_header_says_in_mp4_and_in_matroska() -> None:
    assert tracks.audio(sound(start_pts=90000, duration="3.5"), ZERO).end_s == Fraction(9, 2)
    assert tracks.audio(sound(tags={"DURATION": "00:01:02.500"}), ZERO).end_s == Fraction(125, 2)


@pytest.mark.parametrize(
    ("found", "error"),
    [
        ([stream(codec_tag_string="encv"), sound(codec_tag_string="enca")], SourceEncrypted),
        ([sound() | {"codec_name": "ac4"}], SourceUnsupported),
        ([sound() | {"channels": 65}], SourceUnsupported),
        ([{"index": 0, "codec_tag_string": "-"}], SourceUnsupported),
        ([{"index": 0, "codec_type": "subtitle", "codec_name": "ttml"}], SourceNotVideo),
        ([], SourceNotVideo),
        ([stream(width=100_000, height=100_000)], SourceTooLarge),
    ],
)
def test_each_kind_of_source_that_cannot_be_played_has_its_own_error(
    found: list[dict[str, Any]], error: type[Exception]
) -> None:
    with pytest.raises(error):
        probe.parse({"streams": found}, H264)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("Number of streams exceeds max_streams parameter (256)", SourceTooManyStreams),
        ("[hls @ 0x1] Format not on whitelist 'mov'", SourceRefused),
        ("moov atom not found", SourceTruncated),
        ("Invalid data found when processing input", SourceNotVideo),
    ],
)
def test_what_ffprobe_says_becomes_an_error_of_ours(words: str, error: type[Exception]) -> None:
    assert type(probe.explain(words)) is error


@pytest.mark.parametrize(
    ("profile", "compatible", "alone"),
    [(5, 0, True), (10, 0, True), (8, 1, False), (10, 4, False), (7, 0, False)],
)
def test_dolby_vision_is_alone_where_its_base_is_no_other_picture(
    profile: int, compatible: int, alone: bool
) -> None:
    side = {"dv_profile": profile, "dv_bl_signal_compatibility_id": compatible}
    found = tracks.video(stream(side_data_list=[side]), ZERO, ZERO)
    assert found.color.is_dolby_alone is alone


def test_frames_know_better_than_headers_which_field_comes_first() -> None:
    bottom = [
        f"[Parsed_showinfo_0 @ 0x5] n:   {n} pts:0 fmt:yuv420p s:720x576 i:B iskey:1" for n in (0, 1)
    ]
    track = tracks.video(stream(field_order="tt"), ZERO, ZERO)
    assert trial.interlace(track, bottom).fields == "bff"
    assert trial.interlace(track, bottom).rate == track.rate == 50
    silent = tracks.video(stream(field_order="unknown"), ZERO, ZERO)
    assert (trial.interlace(silent, bottom).fields, trial.interlace(silent, bottom).rate) == ("bff", 50)
    assert trial.interlace(track, [bottom[0].replace("i:B", "i:P")]) == track
