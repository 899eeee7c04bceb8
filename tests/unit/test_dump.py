"""What ffmpeg itself says of a source means the same as what ffprobe would have said."""

from __future__ import annotations

from fractions import Fraction

import pytest

from nextstream.domain import dump, packets, probe
from nextstream.domain.source import Purpose

DECODABLE = frozenset({"h264", "aac", "wmav2", "subrip"})
VIDEO = "Video: h264 (High), 1 reference frame (avc1 / 0x31637661)"

SAID = f"""
[aac @ 0x556804e0ae80] Audio object type 21 is not implemented.
Input #0, matroska,webm, from 'file:m.mkv':
  Metadata:
    title           : Stream #0:7: Video: h264, 5x5
  Duration: 00:01:04.52, start: 1.500000, bitrate: 558 kb/s
  Chapters:
    Chapter #0:0: start 1.500000, end 3.000000
      Metadata:
        title           : One: two
  Stream #0:0[0x1](und): {VIDEO}, yuv420p10le(tv, bt2020nc/bt2020/smpte2084, top first, left), \
720x576 [SAR 16:15 DAR 4:3], 832 kb/s, 29.97 fps, 59.94 tbr, 90k tbn, start 1.480000 (default)
    Metadata:
      title           : Film
    Side data:
      Display Matrix: rotation of -90.00 degrees
  Stream #0:1(deu): Audio: aac (LC), 44100 Hz, 5.1(side), fltp, delay 1024, start 1.500000 (comment)
    Metadata:
      title           : Talk
      DURATION        : 00:00:04.500000000
  Stream #0:2: Audio: wmav2 (a[1][0][0] / 0x0161), 8000 Hz, 3 channels, 24 kb/s
  Stream #0:3(eng): Subtitle: subrip (srt) (hearing impaired)
  Stream #0:4: Video: mjpeg, yuvj420p(pc), 32x32, 90k tbr, 90k tbn (attached pic)
At least one output file must be specified
"""


def test_ffmpegs_own_words_describe_a_source() -> None:
    found = dump.parse(SAID.splitlines())
    info = probe.parse(found, DECODABLE)
    video, (talk, other) = info.video, info.audio
    assert video is not None
    assert (info.format, info.start_s, float(info.duration_s)) == ("matroska,webm", 1.5, 63.02)
    assert (video.codec, video.width, video.height, video.turned) == ("h264", 576, 768, 90)
    assert (video.start_s, video.fields) == (Fraction(148, 100), "tff")
    assert video.rate == Fraction(60000, 1001)
    assert (video.pixel_format, video.color.transfer) == ("yuv420p10le", "smpte2084")
    assert (video.color.primaries, video.color.matrix) == ("bt2020", "bt2020nc")
    assert (talk.channels, talk.layout, talk.language, talk.title) == (6, "5.1(side)", "deu", "Talk")
    assert (talk.purpose, talk.start_s, talk.end_s) == (Purpose.COMMENTARY, 1.5, 4.5)
    assert (other.channels, other.layout, other.sample_rate_hz, other.is_default) == (3, "", 8000, False)
    assert [(text.index, text.purpose) for text in info.texts] == [(3, Purpose.CAPTIONS)]
    assert [each["tags"]["title"] for each in found["chapters"]] == ["One: two"]


def test_what_ffmpeg_cannot_read_has_no_streams() -> None:
    assert not dump.parse(["[in#0 @ 0x5] Error opening input: Invalid data found"])["streams"]


@pytest.mark.parametrize(
    ("said", "rate"),
    [("25 fps", Fraction(25)), ("23.98 fps", Fraction(24000, 1001)), ("7.50 fps", Fraction(15, 2))],
)
def test_a_rate_of_which_two_digits_are_said_is_the_known_one(said: str, rate: Fraction) -> None:
    words = f"  Stream #0:0: {VIDEO}, yuv420p, 320x240, {said}, 25 tbr, 1k tbn"
    (stream,) = dump.parse([words])["streams"]
    assert Fraction(stream["avg_frame_rate"]) == rate


def test_a_picture_and_a_sound_of_which_little_is_known_are_described_by_that() -> None:
    words = [
        "  Stream #0:0: Video: qtrle (rle  / 0x20656C72), none(pc, gbr/unknown/unknown), 25 tbr, 1k tbn",
        "  Stream #0:1: Audio: aac, 0 channels",
    ]
    picture, sound = dump.parse(words)["streams"]
    assert (picture["codec_name"], picture.keys() & {"width", "pix_fmt"}) == ("qtrle", set())
    assert "sample_rate" not in sound


def test_packets_that_ffmpeg_copies_are_those_that_ffprobe_lists() -> None:
    copied = [
        "#software: Lavf",
        "#tb 0: 1/12800",
        "0,       -512,          0,      512,     8644, 0xcae7e519",
        "0,          0, -9223372036854775808,      512,     2597, 0xa4d414de, F=0x0",
        "0,        512,        512,      512,     2597, 0xa4d414de, F=0x4, S=1,  8, 0x1",
    ]
    assert list(packets.read_copied(copied, Fraction(1, 25600))) == [
        packets.Packet(0, -1024, 1024, is_shown=True, is_key=True),
        packets.Packet(None, 0, 1024, is_shown=True),
        packets.Packet(1024, 1024, 1024, is_shown=False),
    ]
