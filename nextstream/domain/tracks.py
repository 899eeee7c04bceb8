"""The tracks of a source, read from what ffprobe says of each stream."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from math import atan2, degrees
from typing import Any

from nextstream.domain import markings, mixing
from nextstream.domain.plan import NATURAL_RATES, RATE_TOLERANCE
from nextstream.domain.source import AudioTrack, Color, VideoTrack

Stream = Mapping[str, Any]

TIME_BASE = Fraction(1, 90_000)  # what ffmpeg begins with, and stays with where a header says nonsense
FASTEST = 1000  # frames per second; above it a rate is a clock's
LIKELY = 300  # no camera but a laboratory's is faster
VARIABLE_UP_TO = Fraction(5, 2)  # a phone's 30 may average 12 in the dark

# Streams of pictures that are not the film: covers, layers for other streams, thumbnails.
_NO_FILM = ("attached_pic", "dependent", "timed_thumbnails", "multilayer")
_DOLBY_ALONE = (5, 10)  # the profiles that may have no base that others can show
# In one frame the line that comes first is early (`tb`) or late (`bt`): so Matroska and QuickTime write
# it, whatever ffmpeg's header says (Apple TN2162).
_FIELDS = {"tt": "tff", "tb": "tff", "bb": "bff", "bt": "bff"}


def is_picture(stream: Stream) -> bool:
    """Tell moving pictures from cover art; ffprobe may know neither their size nor their format."""
    disposition = stream.get("disposition", {})
    return stream.get("codec_type") == "video" and not any(disposition.get(k) for k in _NO_FILM)


def is_part(stream: Stream) -> bool:
    """Tell a tile of a larger picture."""
    return stream.get("codec_type") == "video" and bool(stream.get("disposition", {}).get("dependent"))


def is_sound(stream: Stream) -> bool:
    """Tell a stream of sound that says how it sounds, and has no more channels than ffmpeg can mix."""
    if stream.get("codec_type") != "audio" or int(stream.get("channels") or 0) > mixing.MAX_CHANNELS:
        return False
    return int(stream.get("sample_rate") or 0) > 0


def video(stream: Stream, start_s: Fraction, duration_s: Fraction) -> VideoTrack:
    """Read a video stream; `start_s` and `duration_s` are the container's, where it has none itself."""
    first = _start(stream, start_s)
    own_s = seconds(stream.get("duration"))
    fields = _FIELDS.get(stream.get("field_order", ""), "")
    turned, mirrored = _orientation(stream)
    width, height = _square(stream)
    return VideoTrack(
        index=stream["index"],
        codec=stream["codec_name"],
        width=height if turned % 180 else width,
        height=width if turned % 180 else height,
        rate=_rate(stream) * (2 if fields else 1),
        start_s=first,
        end_s=first + own_s if own_s else max(first, start_s + duration_s),
        pixel_format=stream.get("pix_fmt", ""),
        color=_color(stream),
        fields=fields,
        turned=turned,
        mirrored=mirrored,
        grid=stream.get("grid"),
    )


def audio(stream: Stream, start_s: Fraction) -> AudioTrack:
    """Read an audio stream; `start_s` is the container's, where it has none itself."""
    tags = stream.get("tags", {})
    first = _start(stream, start_s)
    length = seconds(stream.get("duration"))
    return AudioTrack(
        index=stream["index"],
        codec=stream.get("codec_name", "unknown"),
        channels=int(stream.get("channels") or 2),
        sample_rate_hz=int(stream["sample_rate"]),
        language=markings.language(stream),
        title=markings.title(stream),
        purpose=markings.purpose(stream),
        layout=stream.get("channel_layout", ""),
        is_default=bool(stream.get("disposition", {}).get("default")),
        start_s=first,
        end_s=first + length if length else _clock(tags.get("DURATION", "")),  # Matroska's
    )


def _start(stream: Stream, start_s: Fraction) -> Fraction:
    return time_base(stream) * int(stream["start_pts"]) if "start_pts" in stream else start_s


def time_base(stream: Stream) -> Fraction:
    """Give the unit of a stream's timestamps in seconds; ffmpeg's own where it says what is none."""
    base = ratio(stream["time_base"], TIME_BASE)
    return base if base > 0 else TIME_BASE


def _clock(text: str) -> Fraction:
    """Read hours:minutes:seconds; 0 where it is something else."""
    match = re.fullmatch(r"(\d{1,5}):(\d\d):(\d\d(?:\.\d{1,9})?)", text)
    return int(match[1]) * 3600 + int(match[2]) * 60 + Fraction(match[3]) if match else Fraction(0)


def _square(stream: Stream) -> tuple[int, int]:
    aspect = ratio(stream.get("sample_aspect_ratio", "1:1").replace(":", "/"), Fraction(1))
    width, height = int(stream.get("width") or 0), int(stream.get("height") or 0)
    for side in stream.get("side_data_list", []):
        # ffmpeg cuts off what a container says (`clap` of MP4, Matroska's PixelCrop); ffprobe counts it.
        width -= int(side.get("crop_left", 0)) + int(side.get("crop_right", 0))
        height -= int(side.get("crop_top", 0)) + int(side.get("crop_bottom", 0))
    return square(max(width, 0), max(height, 0), aspect)


def square(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """Give width and height with square pixels."""
    return round(width * aspect) or min(width, 1), height


def _orientation(stream: Stream) -> tuple[int, bool]:
    """Give how a picture is to be turned, clockwise, after it was mirrored left to right or not.

    The display matrix (ISO/IEC 14496-12, 8.3.2.3) maps x, y to ax + cy, bx + dy.
    """
    for side in stream.get("side_data_list", []):
        rows = [row.split()[1:] for row in side.get("displaymatrix", "").strip().splitlines()]
        if len(rows) == 3:
            (a, b), (c, d) = ((int(n) for n in row[:2]) for row in rows[:2])
            mirrored = a * d - b * c < 0
            turned = degrees(atan2(-b, -a) if mirrored else atan2(b, a))
            return round(turned / 90) * 90 % 360, mirrored
    return 0, False


def _color(stream: Stream) -> Color:
    sides = stream.get("side_data_list", [])
    known = {
        name: re.sub("unknown|reserved|unspecified", "", stream.get(f"color_{key}", ""))
        for name, key in (("primaries", "primaries"), ("transfer", "transfer"), ("matrix", "space"))
    }
    return Color(
        **known,
        is_full_range=_is_full_range(stream),
        is_dolby_alone=any(
            side.get("dv_profile") in _DOLBY_ALONE and not side.get("dv_bl_signal_compatibility_id")
            for side in sides
        ),
    )


def _is_full_range(stream: Stream) -> bool:
    form, said = stream.get("pix_fmt", ""), stream.get("color_range")
    # The formats with a J are full range whatever else is said; grey is where nothing is.
    return said == "pc" or form.startswith("yuvj") or (form.startswith("gray") and said != "tv")


def _rate(stream: Stream) -> Fraction:
    """Give the rate that frames come at: the nominal one where frames are left out of it at times.

    A nominal rate far above the average is a clock's, not a picture's (90000 is seen), unless it is one
    that pictures have: a recorded screen stands still for most of the time. An average can be missing.
    Of interlaced pictures the nominal one may count fields.
    """
    average = ratio(stream.get("avg_frame_rate", ""), Fraction(0))
    nominal = ratio(stream.get("r_frame_rate", ""), Fraction(0))
    if not 1 <= average <= (LIKELY if 1 <= nominal <= LIKELY else FASTEST):
        return nominal if 1 <= nominal <= FASTEST else Fraction(25)
    if "start_pts" not in stream or nominal == 2 * average:  # no clock at all, or fields
        return average
    is_pictures = nominal <= VARIABLE_UP_TO * average or _is_natural(nominal)
    return nominal if average <= nominal and is_pictures else average


def _is_natural(rate: Fraction) -> bool:
    return any(abs(natural - rate) <= rate * RATE_TOLERANCE for natural in NATURAL_RATES)


def ratio(text: str, otherwise: Fraction) -> Fraction:
    """Read a fraction as ffprobe writes it, also N/A and 0/0."""
    try:
        return Fraction(text) or otherwise
    except (ValueError, ZeroDivisionError):
        return otherwise


def seconds(text: str | None) -> Fraction:
    """Read seconds as ffprobe writes them; 0 where it doesn't know."""
    return ratio(text or "", Fraction(0))
