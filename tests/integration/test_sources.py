"""Sources of every shape, through the real probe and decode, become the right picture or an error."""

from __future__ import annotations

import http.server
import random
import struct
import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from nextstream.adapters.encoder import FfmpegEncoder
from nextstream.domain import acceptance, captions, fmp4, ladder, plan
from nextstream.domain.plan import Kind, Plan
from nextstream.domain.source import Grid, SourceInfo, Tile
from nextstream.errors import (
    SourceHasGap,
    SourceNotVideo,
    SourceTruncated,
    SourceUnsupported,
    StorageUnavailable,
)
from nextstream.settings import Settings
from tests import pipeline, sources, sync

LIMITS = acceptance.Limits(2**40, 12 * 3600, 36_000_000, 1000, 600, 64)


def probe(path: Path) -> SourceInfo:
    return FfmpegEncoder(Settings()).probe(str(path), path.stat().st_size)


def make_plan(found: SourceInfo) -> Plan:
    rungs = ()
    if found.video:
        rungs = ladder.choose(found.video, (120,), plan.choose_rate(found.video.rate), 30)
    return plan.make(found, rungs, ladder.voices(found.audio), "ultrafast", 12)


def encode(path: Path) -> tuple[SourceInfo, Plan, int, int]:
    """Give what was found and planned, the frames that were made, and how many of them are lost."""
    found = probe(path)
    made = make_plan(found)
    frames = lost = 0
    for piece in (piece for piece in made.pieces if piece.kind is Kind.VIDEO):
        *_, one = FfmpegEncoder(Settings()).encode(str(path), made, piece, lambda _: None)
        frames += len(fmp4.read(one.data).samples)
        lost += one.lost_frames
    return found, made, frames, lost


def first_picture(
    path: Path, tmp_path: Path, number: int = 0, made: Plan | None = None
) -> tuple[int, int, bytes]:
    """Give the size and RGB bytes of the first encoded frame, or a later one, of the largest rung."""
    made = made or make_plan(probe(path))
    one = next(iter(FfmpegEncoder(Settings()).encode(str(path), made, made.pieces[0], lambda _: None)))
    film, raw = tmp_path / "made.mp4", tmp_path / "made.rgb"
    film.write_bytes(one.data)
    chosen = ("-vf", f"select=eq(n\\,{number})", "-frames:v", "1")
    sources.run("-i", film, *chosen, "-f", "rawvideo", "-pix_fmt", "rgb24", raw)
    rung = made.rungs[0]
    return rung.width, rung.height, raw.read_bytes()


def corner(picture: tuple[int, int, bytes], x: float, y: float) -> str:
    """Name the colour at a place, given in parts of the width and height."""
    width, height, raw = picture
    at = 3 * (int(y * height) * width + int(x * width))
    bits = "".join(str(int(part > 128)) for part in raw[at : at + 3])
    return {"100": "red", "010": "green", "001": "blue", "111": "white", "000": "black"}.get(bits, bits)


def quarters(path: Path, *options: str, seconds: float = 1) -> Path:
    """Make a picture that is red and green above, blue and white below."""
    both = "color={}:s=160x120:d={}[a];color={}:s=160x120:d={}[b];[a][b]hstack[{}];"
    graph = both.format("red", seconds, "lime", seconds, "x")
    graph += (
        both.replace("[a]", "[c]").replace("[b]", "[d]").format("blue", seconds, "white", seconds, "y")
    )
    sources.run(
        *("-filter_complex", f"{graph}[x][y]vstack,fps=25"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", *options, path),
    )
    return path


@pytest.mark.parametrize(
    ("options", "corners"),
    [
        ((), "red green blue white"),
        (("-display_rotation", "90"), "green white red blue"),
        (("-display_rotation", "180"), "white blue green red"),
        (("-display_hflip",), "green red white blue"),
        (("-display_rotation", "90", "-display_hflip"), "white green blue red"),
    ],
)
def test_a_picture_is_turned_and_mirrored_as_its_matrix_says(
    options: tuple[str, ...], corners: str, tmp_path: Path
) -> None:
    plain, path, own = quarters(tmp_path / "plain.mp4"), tmp_path / "turned.mp4", tmp_path / "own.rgb"
    sources.run(*options, "-i", plain, "-c", "copy", path)
    sources.run("-i", path, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", own)
    picture = first_picture(path, tmp_path)
    places = ((0.2, 0.2), (0.8, 0.2), (0.2, 0.8), (0.8, 0.8))
    assert " ".join(corner(picture, x, y) for x, y in places) == corners
    as_ffmpeg = (240, 320, own.read_bytes()) if "90" in options else (320, 240, own.read_bytes())
    assert " ".join(corner(as_ffmpeg, x, y) for x, y in places) == corners
    assert (picture[0] < picture[1]) is ("90" in options)


def photo(path: Path, orientation: int) -> Path:
    """Make a JPEG of the four quarters whose EXIF says how it is to be turned (TIFF 6.0, tag 274)."""
    sources.run("-i", quarters(path.with_suffix(".mp4")), "-frames:v", "1", path)
    entry = struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    exif = b"Exif\0\0" + b"MM\0*" + struct.pack(">I", 8) + entry
    plain = path.read_bytes()
    path.write_bytes(plain[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + plain[2:])
    return path


@pytest.mark.parametrize(
    ("orientation", "corners"),
    [
        (2, "green red white blue"),
        (3, "white blue green red"),
        (6, "blue red white green"),
        (7, "white green blue red"),
    ],
)
def test_a_photo_is_turned_and_mirrored_as_its_exif_says(
    orientation: int, corners: str, tmp_path: Path
) -> None:
    picture = first_picture(photo(tmp_path / "some.jpg", orientation), tmp_path)
    assert picture[:2] == ((120, 160) if orientation > 4 else (160, 120))
    places = ((0.2, 0.2), (0.8, 0.2), (0.2, 0.8), (0.8, 0.8))
    assert " ".join(corner(picture, x, y) for x, y in places) == corners


def test_a_picture_is_turned_as_its_bitstream_says(tmp_path: Path) -> None:
    plain, path = quarters(tmp_path / "plain.mp4"), tmp_path / "turned.ts"
    says = "h264_metadata=display_orientation=insert:rotate=90"
    sources.run("-i", plain, "-c", "copy", "-bsf:v", says, path)
    picture = first_picture(path, tmp_path)
    assert corner(picture, 0.2, 0.2) == "green"
    assert picture[:2] == (120, 160)


def test_what_is_transparent_becomes_black(tmp_path: Path) -> None:
    path = tmp_path / "alpha.mov"
    sources.run(
        *("-f", "lavfi", "-i", "color=red@0.0:s=160x120:d=1,format=rgba", "-c:v", "png"),
        *("-pix_fmt", "rgba", path),
    )
    assert corner(first_picture(path, tmp_path), 0.5, 0.5) == "black"


@pytest.mark.parametrize("form", ["yuv422p10le", "yuv444p", "gbrp", "yuvj420p"])
def test_pictures_of_every_format_keep_their_colours(form: str, tmp_path: Path) -> None:
    path = quarters(tmp_path / "some.mkv", "-c:v", "ffv1", "-pix_fmt", form)
    picture = first_picture(path, tmp_path)
    assert corner(picture, 0.2, 0.2) == "red"
    assert corner(picture, 0.8, 0.2) == "green"


@pytest.mark.parametrize(
    ("size", "coded", "told"),
    [
        ("320x240", "bt601:out_range=tv", "colorspace=smpte170m:range=tv"),
        ("320x240", "bt601:out_range=tv", "range=tv"),  # as players take SD that doesn't say
        ("320x240", "bt709:out_range=tv", "colorspace=bt709:range=tv"),
        ("320x240", "bt601:out_range=pc", "colorspace=bt470bg:range=pc"),
        ("320x240", "bt2020:out_range=tv", "colorspace=bt2020nc:range=tv"),
        ("1280x720", "bt709:out_range=tv", "range=tv"),
    ],
)
def test_colours_are_the_same_whatever_matrix_and_range_they_come_in(
    size: str, coded: str, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "some.mkv"
    unsaid = "" if "colorspace" in told else "colorspace=unknown:"
    sources.run(
        *("-f", "lavfi", "-i", f"color=0xC83C1E:s={size}:d=1,format=gbrp"),
        *("-vf", f"scale=out_color_matrix={coded},format=yuv444p,setparams={unsaid}{told}"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-qp", "1", path),
    )
    width, height, raw = first_picture(path, tmp_path)
    at = 3 * (height // 2 * width + width // 2)
    assert all(abs(a - b) <= 6 for a, b in zip(raw[at : at + 3], (0xC8, 0x3C, 0x1E), strict=True)), raw[
        at : at + 3
    ].hex()


@pytest.mark.parametrize(
    "kind",
    [
        "zscale=m=ycgco:r=limited,format=yuv444p",
        "zscale=m=bt2020c:p=bt2020:r=limited,format=yuv444p10",
        "zscale=t=log100:m=bt709:r=limited,format=yuv444p10",
        "format=gbrpf32,zscale=t=linear,format=gbrpf32",
        "zscale=m=bt709:r=limited,format=yuva444p,setparams=colorspace=unknown",  # HD, with alpha
        "zscale=m=bt709:r=limited,format=yuv444p,setparams=colorspace=ipt-c2",  # what no filter knows
    ],
)
def test_colours_of_rare_kinds_are_made_bt709(kind: str, tmp_path: Path) -> None:
    path = tmp_path / ("some.nut" if "f32" in kind else "some.mkv")
    told = "setparams=color_primaries=bt709:color_trc=iec61966-2-1:colorspace=gbr:range=pc"
    shown = kind if "linear" in kind else kind.replace("zscale=", "setparams=color_trc=bt709,zscale=", 1)
    sources.run(
        *("-f", "lavfi", "-i", "color=0xC83C1E:s=960x600:r=25:d=0.2,format=gbrp", "-vf"),
        *(f"{told},{shown}", "-c:v", "ffv1" if "f32" not in kind else "rawvideo", path),
    )
    width, height, raw = first_picture(path, tmp_path)
    at = 3 * (height // 2 * width + width // 2)
    assert all(abs(a - b) <= 8 for a, b in zip(raw[at : at + 3], (0xC8, 0x3C, 0x1E), strict=True)), raw[
        at : at + 3
    ].hex()


@pytest.mark.parametrize("told", ["limited", "full"])
def test_grey_is_of_the_range_it_says(told: str, tmp_path: Path) -> None:
    path, raw = tmp_path / "some.mp4", tmp_path / "grey.raw"
    raw.write_bytes(bytes([16]) * 160 * 120)
    sources.run(
        *("-f", "rawvideo", "-pix_fmt", "gray", "-s", "160x120", "-r", "25", "-i", raw),
        *("-c:v", "libx265", "-x265-params", f"lossless=1:range={told}:log-level=error"),
        *("-color_range", {"limited": "tv", "full": "pc"}[told], path),
    )
    black = first_picture(path, tmp_path)[2][0]
    assert abs(black - {"limited": 0, "full": 16}[told]) <= 2


@pytest.mark.parametrize("fields", ["tff", "bff"])
def test_untagged_fields_are_found_and_shown_one_by_one(fields: str, tmp_path: Path) -> None:
    path = sources.interlaced(tmp_path / "some.mp4", seconds=3, fields=fields, tagged=False)
    found, made, frames, lost = encode(path)
    assert found.video is not None
    assert (found.video.fields, made.rate) == (fields, 50)
    assert (frames, lost) == (150, 0)


@pytest.mark.parametrize("fields", ["tff", "bff"])
@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_the_field_that_comes_first_is_found_in_every_container(
    ending: str, fields: str, tmp_path: Path
) -> None:
    found = probe(sources.interlaced(tmp_path / f"some.{ending}", seconds=1, fields=fields)).video
    assert found is not None
    assert (found.fields, found.rate) == (fields, 50)


def test_progressive_pictures_of_a_broadcast_size_are_not_taken_for_fields(tmp_path: Path) -> None:
    found = probe(sources.steady(tmp_path / "some.mp4", seconds=3, rate="25", size="720x576"))
    assert found.video is not None
    assert found.video.fields == ""


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "bmp", "tiff", "gif"])
def test_a_still_becomes_a_short_video(ending: str, tmp_path: Path) -> None:
    picture = tmp_path / f"some.{ending}"
    sources.run("-f", "lavfi", "-i", "testsrc2=size=320x240", "-frames:v", "1", picture)
    found, made, frames, lost = encode(picture.rename(tmp_path / "source"))
    assert found.video is not None
    assert found.video.is_still
    assert (float(made.duration_s), frames, lost) == (5.0, 125, 0)


def test_an_animated_webp_moves(tmp_path: Path) -> None:
    path = tmp_path / "source.webp"
    sources.run("-f", "lavfi", "-i", "testsrc2=s=160x120:r=10:d=2", "-c:v", "libwebp_anim", path)
    found, made, frames, lost = encode(path)
    assert found.video is not None
    assert (found.video.width, found.video.is_still) == (160, False)
    assert (made.rate, frames, lost) == (10, 20, 0)


def test_a_still_is_the_first_picture_of_its_file(tmp_path: Path) -> None:
    first, other = tmp_path / "first.jpg", tmp_path / "other.jpg"
    sources.run("-f", "lavfi", "-i", "color=red:size=160x120", "-frames:v", "1", first)
    sources.run("-f", "lavfi", "-i", "color=gray:size=80x60", "-frames:v", "1", other)
    both = tmp_path / "source"
    both.write_bytes(first.read_bytes() + other.read_bytes())  # as with a gain map for HDR
    assert corner(first_picture(both, tmp_path, 100), 0.5, 0.5) == "red"


def test_tiles_become_one_picture(tmp_path: Path) -> None:
    path = tmp_path / "tiles.mkv"
    sources.run(
        *(
            "-f",
            "lavfi",
            "-i",
            "color=red:s=160x120:d=1",
            "-f",
            "lavfi",
            "-i",
            "color=blue:s=160x120:d=1",
        ),
        *("-map", "0", "-map", "1", "-c:v", "libx264", "-preset", "ultrafast", path),
    )
    found = probe(path)
    assert found.video is not None
    grid = Grid((Tile(0, 0, 0), Tile(1, 160, 0)), 0, 0, 300, 120)
    made = make_plan(replace(found, video=replace(found.video, width=300, grid=grid)))
    picture = first_picture(path, tmp_path, made=made)
    assert picture[:2] == (300, 120)
    assert [corner(picture, x, 0.5) for x in (0.2, 0.8)] == ["red", "blue"]


def test_raw_streams_without_a_clock_last_as_long_as_their_frames(tmp_path: Path) -> None:
    plain = sources.silent(tmp_path / "some.mp4", seconds=3)
    raw = tmp_path / "some.h264"
    sources.run("-i", plain, "-c", "copy", raw)
    _, _, frames, lost = encode(raw)
    assert (frames, lost) == (75, 0)


@pytest.mark.parametrize(
    ("ending", "codec", "rate", "frames"),
    [
        ("h264", "libx264", "50", 100),
        ("m2v", "mpeg2video", "30000/1001", 60),
    ],
)
def test_raw_streams_keep_the_rate_that_their_decoder_finds(
    ending: str, codec: str, rate: str, frames: int, tmp_path: Path
) -> None:
    raw = tmp_path / f"some.{ending}"
    moving = ("-f", "lavfi", "-i", f"testsrc2=size=160x120:rate={rate}:duration=2")
    sources.run(*moving, "-c:v", codec, "-pix_fmt", "yuv420p", raw)
    found, _, made, lost = encode(raw)
    assert found.video is not None
    assert (found.video.rate, made, lost) == (Fraction(rate), frames, 0)


def test_a_picture_that_changes_its_size_goes_on(tmp_path: Path) -> None:
    parts = [
        sources.steady(tmp_path / f"{size}.ts", seconds=3, rate="25", size=size)
        for size in ("320x240", "640x360")
    ]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    found, _, frames, _ = encode(joined)
    assert found.has_jumps  # each part's clock starts anew
    assert frames == 150


@pytest.mark.parametrize(
    ("layout", "ending"),
    [("FL+FC", "mov"), ("SL+SR", "wav"), ("FL+FR+FC+LFE+BL", "wav"), ("9 channels", "wav")],
)
def test_channels_that_ffmpeg_cannot_mix_become_stereo(layout: str, ending: str, tmp_path: Path) -> None:
    source, channels = tmp_path / f"some.{ending}", ("-ch_layout", layout)
    if layout == "9 channels":
        channels = ("-ac", "9")
    sources.run(
        *("-f", "s16le", "-ar", "48000", *channels, "-t", "0.5", "-i", "/dev/urandom"),
        *("-c:a", "pcm_s16le", source),
    )
    made = make_plan(probe(source))
    film = b"".join(FfmpegEncoder(Settings()).encode_audio(str(source), made, made.voices[0]))
    (tmp_path / "made.mp4").write_bytes(film)
    raw = tmp_path / "made.raw"
    sources.run("-i", tmp_path / "made.mp4", "-f", "s16le", "-t", "0.25", raw)
    assert raw.stat().st_size == 12_000 * 2 * 2
    assert max(raw.read_bytes()) > 0


@pytest.mark.parametrize("channels", [1, 2])
def test_a_sound_of_one_channel_or_two_is_as_loud_as_it_was(channels: int, tmp_path: Path) -> None:
    path, kept = tmp_path / "some.wav", tmp_path / "made.mp4"
    sources.run("-f", "lavfi", "-i", "sine=duration=2", "-ac", channels, path)
    made = make_plan(probe(path))
    sound = FfmpegEncoder(Settings()).encode_audio(str(path), made, made.voices[0])
    kept.write_bytes(b"".join(sound))
    assert abs(peak(kept, tmp_path) / peak(path, tmp_path) - 1) < 0.06  # half a decibel


def peak(path: Path, tmp_path: Path) -> int:
    """Give the largest sample of the first channel, away from the ends."""
    raw = tmp_path / "sound.pcm"
    sources.run("-ss", "0.5", "-t", "1", "-i", path, "-af", "pan=mono|c0=c0", "-f", "s16le", raw)
    return max(memoryview(raw.read_bytes()).cast("h"))


def test_a_sound_that_goes_on_holds_the_last_picture(tmp_path: Path) -> None:
    path = sources.steady(tmp_path / "long.mp4", seconds=20, rate="25", picture_s=4)
    _, made, frames, lost = encode(path)
    assert abs(made.duration_s - 20) < 0.1
    assert (frames, lost) == (made.frames, 0)


def whole(tmp_path: Path, ending: str = "mp4") -> bytes:
    """Give a file of 20 s whose index comes first."""
    path = sources.steady(tmp_path / "whole.mp4", seconds=20, rate="25")
    fast = tmp_path / f"fast.{ending}"
    sources.run(
        "-i", path, "-c", "copy", *(("-movflags", "+faststart") if ending == "mp4" else ()), fast
    )
    return fast.read_bytes()


WEBM = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus")


@pytest.mark.parametrize("picture_s", [0.04, 3])
@pytest.mark.parametrize(
    ("ending", "options"),
    [
        ("mkv", ("-c", "copy")),
        ("flv", ("-c", "copy")),
        ("wmv", ("-c", "copy")),
        ("webm", WEBM),
        ("webm", (*WEBM, "-live", "1")),  # as browsers record: no length is known
    ],
)
def test_a_sound_that_goes_on_is_kept_where_only_the_whole_file_has_a_length(
    ending: str, options: tuple[str, ...], picture_s: float, tmp_path: Path
) -> None:
    made, path = tmp_path / "made.mp4", tmp_path / f"recorded.{ending}"
    sources.steady(made, seconds=12, picture_s=picture_s)
    sources.run("-i", made, *options, path)
    found, plan_, frames, lost = encode(path)
    assert (found.warnings, lost) == ((), 0)
    assert frames == plan_.frames
    assert abs(plan_.duration_s - 12) < 0.1


@pytest.mark.parametrize("ending", ["avi", "flv", "wmv", "ts", "mp4"])
def test_a_picture_that_stands_still_for_long_is_whole_and_keeps_its_sound(
    ending: str, tmp_path: Path
) -> None:
    path = tmp_path / f"still.{ending}"
    sources.run(
        *("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=12"),
        *("-f", "lavfi", "-i", "sine=frequency=440:duration=24:sample_rate=44100"),
        *("-vf", "setpts='if(gte(T,8),PTS+12/TB,PTS)'", "-fps_mode", "vfr"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-c:a", "aac", path),
    )
    found, made, frames, lost = encode(path)
    assert (found.warnings, found.has_jumps, lost) == ((), False, 0)
    assert abs(made.duration_s - 24) < 0.2
    assert frames == made.frames


@pytest.mark.parametrize("picture", [("-map", "0:v"), ()])
def test_subtitles_that_stay_on_after_the_end_are_no_part_of_its_length(
    picture: tuple[str, ...], tmp_path: Path
) -> None:
    texts, path = tmp_path / "late.srt", tmp_path / "late.mkv"
    texts.write_text("1\n00:00:03,500 --> 00:01:00,000\nThe end?\n")
    made = sources.steady(tmp_path / "made.mp4", seconds=4)
    sources.run(
        "-i", made, "-i", texts, *picture, "-map", "0:a", "-map", "1", "-c", "copy", "-c:s", "srt", path
    )
    found = probe(path)
    assert found.warnings == ()
    assert abs(found.duration_s - 4) < 0.1
    body = path.read_bytes()
    path.write_bytes(body[: len(body) * 3 // 10])
    with pytest.raises(SourceTruncated):
        probe(path)


def test_chapters_count_from_a_sound_that_comes_before_the_picture(tmp_path: Path) -> None:
    made, chapters = sources.steady(tmp_path / "made.mp4", seconds=4), tmp_path / "chapters.txt"
    chapters.write_text(sources.CHAPTERS.replace("6000", "2000"))
    path = tmp_path / "late.mkv"
    sources.run(
        *("-itsoffset", "1.5", "-i", made, "-i", made, "-i", chapters, "-map", "0:v", "-map", "1:a"),
        *("-map_chapters", "2", "-c", "copy", path),
    )
    found = probe(path)
    length_s = found.shown_to_s - found.shown_from_s
    assert [(c.start_s, c.end_s) for c in found.chapters] == [(0, 2), (2, length_s)]


def test_webvtt_that_ffmpeg_has_no_name_for_is_read(tmp_path: Path) -> None:
    path = sources.bare_webvtt(tmp_path / "bare.mkv")
    found = probe(path)
    made = make_plan(found)
    (piece,) = FfmpegEncoder(Settings()).extract_texts(str(path), made, lambda _: None)
    (cue,) = captions.read(piece.data)
    assert (cue.start_s, cue.end_s, found.texts[0].language) == (Fraction(1, 2), Fraction(3, 2), "ger")
    assert cue.text.endswith(",Hello")


def test_a_source_that_no_seek_finds_its_way_in_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "dirac.mkv"  # without a keyframe in its index
    sources.run(
        *("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25:duration=2", "-c:v", "vc2", "-strict", "-1"),
        path,
    )
    _, made, frames, lost = encode(path)
    assert (frames, made.frames, lost) == (50, 50, 0)


def test_a_recording_that_paused_holds_its_picture_where_ffmpeg_mends_no_clock(tmp_path: Path) -> None:
    begun, paused = tmp_path / "begun.flv", tmp_path / "paused.flv"
    sources.run(
        *("-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=8", "-c:v", "libx264", "-preset", "ultrafast"),
        *("-bf", "0", begun),
    )
    jump = "setts=ts=TS+if(gte(TS*TB\\,4)\\,30/TB\\,0)"
    sources.run("-i", begun, "-c", "copy", "-bsf:v", jump, paused)
    found, made, frames, lost = encode(paused)
    assert (found.warnings, found.has_jumps, lost) == ((), False, 0)
    assert made.duration_s == 38
    assert frames == made.frames


def test_a_file_cut_in_its_second_half_is_made_with_what_is_lost(tmp_path: Path) -> None:
    body, path = whole(tmp_path), tmp_path / "source"
    path.write_bytes(body[: len(body) * 7 // 10])
    found, made, frames, _ = encode(path)
    (caution,) = found.warnings
    assert caution.code == "source_damaged"
    assert caution.lost_s is not None
    assert 4 < caution.lost_s < 9
    assert frames == made.frames
    path.write_bytes(body[: len(body) * 4 // 10])
    with pytest.raises(SourceTruncated):
        probe(path)


def test_a_recording_that_was_cut_off_lacks_what_both_picture_and_sound_do(tmp_path: Path) -> None:
    made, path = sources.steady(tmp_path / "made.mkv", seconds=12), tmp_path / "source"
    body = made.read_bytes()
    path.write_bytes(body[: len(body) * 7 // 10])
    (caution,) = probe(path).warnings
    assert caution.code == "source_damaged"
    path.write_bytes(body[: len(body) * 3 // 10])
    with pytest.raises(SourceTruncated):
        probe(path)


def test_a_hole_in_a_file_is_counted_and_no_frame_moves(tmp_path: Path) -> None:
    body, path = bytearray(whole(tmp_path)), tmp_path / "source"
    start = len(body) * 4 // 10
    noise = random.Random(1)
    body[start : start + len(body) // 10] = noise.randbytes(len(body) // 10)
    path.write_bytes(body)
    _, made, frames, lost = encode(path)
    assert frames == made.frames
    assert 10 < lost < made.frames / 2


def test_flipped_bits_in_a_broadcast_are_counted(tmp_path: Path) -> None:
    body, path = bytearray(whole(tmp_path, "ts")), tmp_path / "source"
    noise = random.Random(1)
    for _ in range(200):
        body[noise.randrange(len(body))] ^= 1 << noise.randrange(8)
    path.write_bytes(body)
    _, made, frames, lost = encode(path)
    assert frames == made.frames
    assert 0 < lost < made.frames / 2


@pytest.mark.parametrize(("ending", "start_s"), [("mkv", 3), ("mkv", 1_000_000), ("wmv", 11)])
def test_a_recording_that_begins_late_on_its_clock_lacks_nothing(
    ending: str, start_s: int, tmp_path: Path
) -> None:
    begun, late = tmp_path / f"begun.{ending}", tmp_path / f"late.{ending}"
    sources.steady(begun, seconds=8)
    sources.run("-i", begun, "-c", "copy", "-output_ts_offset", str(start_s), late)
    found, made, frames, lost = encode(late)
    assert (found.warnings, lost) == ((), 0)
    assert frames == made.frames == encode(begun)[1].frames


def test_frames_ten_hours_apart_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.mp4"
    sources.run(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=1:d=2", "-vf", "setpts=N*36000/TB"),
        *("-fps_mode", "passthrough", "-c:v", "libx264", "-preset", "ultrafast", path),
    )
    with pytest.raises(SourceHasGap):
        acceptance.check(probe(path), LIMITS)


def test_noise_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "source"
    path.write_bytes(random.Random(1).randbytes(100_000))
    with pytest.raises(SourceNotVideo):
        probe(path)


def without_decoder(path: Path) -> Path:
    """Make the sound of an MP4 file one of a kind that no decoder opens for."""
    whole = path.read_bytes()
    head = whole.index(b"esds")
    # The AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1), whose first five bits name the kind: 21, not 2.
    at = whole.index(b"\x05\x80\x80\x80", head) + 5
    path.write_bytes(whole[:at] + bytes([21 << 3 | whole[at] & 7]) + whole[at + 1 :])
    return path


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_sound_whose_decoder_does_not_open_is_left_out(ending: str, tmp_path: Path) -> None:
    whole = sources.steady(tmp_path / "whole.mp4", seconds=2)
    path = tmp_path / f"source.{ending}"
    sources.run("-i", without_decoder(whole), "-map", "0", "-c", "copy", path)
    found, made, frames, lost = encode(path)
    assert [caution.code for caution in found.warnings] == ["sound_left_out"]
    assert (found.audio, found.is_seekable, frames, lost) == ((), True, 48, 0)
    assert first_picture(path, tmp_path, made=made)[:2] == (214, 120)


def test_a_file_whose_only_sound_has_no_decoder_that_opens_is_unsupported(tmp_path: Path) -> None:
    path = tmp_path / "source.m4a"
    sources.run("-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac", path)
    with pytest.raises(SourceUnsupported):
        probe(without_decoder(path))


class Broken(http.server.BaseHTTPRequestHandler):
    """An object store that breaks off, or answers that it is busy."""

    body = b""
    good_bytes = 0

    def do_GET(self) -> None:
        first = int(self.headers.get("Range", "bytes=0-").split("=")[1].split("-")[0])
        if first >= self.good_bytes:
            self.send_error(503)
            return
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{len(self.body) - 1}/{len(self.body)}")
        self.send_header("Content-Length", str(len(self.body) - first))
        self.end_headers()
        self.wfile.write(self.body[first : self.good_bytes])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("part", [0, 0.5, 0.9])
def test_a_storage_that_fails_is_no_fault_of_the_source(part: float, tmp_path: Path) -> None:
    body = whole(tmp_path, "ts")
    handler = type("Here", (Broken,), {"body": body, "good_bytes": int(len(body) * part)})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with pytest.raises(StorageUnavailable):
                FfmpegEncoder(Settings()).probe(
                    f"http://127.0.0.1:{server.server_port}/source", len(body)
                )
        finally:
            server.shutdown()


def test_sound_and_picture_stay_together_over_a_clock_that_jumps(tmp_path: Path) -> None:
    parts = [
        sync.make(tmp_path / f"{n}.ts", sync.Kind("ts", clock_s=clock_s), 4)
        for n, clock_s in enumerate((0, 900, 3))
    ]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    platform, video = pipeline.transcode(joined, tmp_path / "media")
    shown = sync.of_output(platform, video, tmp_path)
    assert len(shown.flashes) == 12
    assert all(abs(shown.offset_ms(at_s)) < 22 for at_s in range(11))
