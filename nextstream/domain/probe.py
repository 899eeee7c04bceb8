"""What a source holds: command lines for ffprobe, and what their output means."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from nextstream.domain import markings, reading
from nextstream.domain.video import AudioTrack, SourceInfo, VideoTrack
from nextstream.errors import SourceNotVideo

FASTEST = 1000  # frames per second; above it a rate is a clock's
VARIABLE_UP_TO = Fraction(5, 2)  # a phone's 30 may average 12 in the dark
TAIL_S = 10  # how much of a source's end is read to find its last frame


def command(binary: str, source: str) -> list[str]:
    """Build the ffprobe call that describes a source as JSON for `parse`."""
    return [
        *_calling(binary),
        "-show_format",
        "-show_streams",
        "-show_chapters",
        reading.name_input(source),
    ]


def tail_command(binary: str, source: str, index: int, from_s: float) -> list[str]:
    """Build the ffprobe call that lists a stream's packets from `from_s` on, for `parse_end`."""
    return [
        *_calling(binary),
        *("-select_streams", str(index)),
        *("-read_intervals", f"{max(0.0, from_s):.3f}%"),
        *("-show_entries", "packet=pts,duration,flags"),
        reading.name_input(source),
    ]


def _calling(binary: str) -> list[str]:
    words = [word for option, value in reading.OPTIONS.items() for word in (f"-{option}", value)]
    return [binary, "-loglevel", "error", *words, "-of", "json"]


def parse(found: Mapping[str, Any]) -> SourceInfo:
    """Read what ffprobe says of a source; raises SourceNotVideo where nothing can be played.

    The video track's `end_s` is the container's word for it; parse_end knows better.
    """
    container = found.get("format", {})
    streams = found.get("streams", [])
    start_s = _seconds(container.get("start_time"))
    duration_s = _seconds(container.get("duration"))
    videos = [s for s in streams if s.get("codec_type") == "video" and _is_picture(s)]
    videos.sort(key=lambda s: not s.get("disposition", {}).get("default"))
    sounds = [s for s in streams if s.get("codec_type") == "audio" and int(s.get("sample_rate", 0))]
    if not videos and not sounds:
        raise SourceNotVideo
    picture = _video_track(videos[0], start_s, duration_s) if videos else None
    return SourceInfo(
        format=container.get("format_name", ""),
        start_s=start_s,
        duration_s=duration_s,
        size_bytes=int(container.get("size", 0)),
        video=picture,
        audio=tuple(_audio_track(s) for s in sounds),
        texts=markings.texts(streams),
        chapters=markings.chapters(found.get("chapters", []), picture.start_s if picture else start_s),
    )


def parse_end(found: Mapping[str, Any], time_base: Fraction, frame_s: Fraction) -> Fraction | None:
    """Give when the last frame of listed packets ends, on the source's clock, or None without any."""
    ends = [
        int(packet["pts"]) * time_base + (int(packet.get("duration", 0)) * time_base or frame_s)
        for packet in found.get("packets", [])
        if "pts" in packet and "D" not in packet.get("flags", "")  # D: cut away by an edit list
    ]
    return max(ends, default=None)


def parse_time_base(found: Mapping[str, Any], index: int) -> Fraction:
    """Give the unit of a stream's timestamps in seconds."""
    return next(Fraction(s["time_base"]) for s in found["streams"] if s["index"] == index)


def _is_picture(stream: Mapping[str, Any]) -> bool:
    """Tell moving pictures that have a decoder from cover art and unknown streams."""
    art = stream.get("disposition", {}).get("attached_pic")
    return not art and bool(stream.get("width")) and stream.get("codec_name", "unknown") != "unknown"


def _video_track(stream: Mapping[str, Any], start_s: Fraction, duration_s: Fraction) -> VideoTrack:
    first = (
        Fraction(stream["time_base"]) * int(stream["start_pts"]) if "start_pts" in stream else start_s
    )
    length = _seconds(stream.get("duration")) or duration_s
    width, height = _displayed_size(stream)
    return VideoTrack(
        index=stream["index"],
        codec=stream["codec_name"],
        width=width,
        height=height,
        rate=_rate(stream),
        start_s=first,
        end_s=first + length,
    )


def _audio_track(stream: Mapping[str, Any]) -> AudioTrack:
    tags = stream.get("tags", {})
    return AudioTrack(
        index=stream["index"],
        codec=stream.get("codec_name", "unknown"),
        channels=int(stream.get("channels", 2)),
        sample_rate_hz=int(stream["sample_rate"]),
        language=tags.get("language", "und"),
        title=tags.get("title"),
        purpose=markings.purpose(stream),
        is_default=bool(stream.get("disposition", {}).get("default")),
    )


def _displayed_size(stream: Mapping[str, Any]) -> tuple[int, int]:
    """Give width and height with square pixels, turned as the source asks (ffmpeg turns by itself)."""
    width, height = int(stream["width"]), int(stream["height"])
    aspect = _ratio(stream.get("sample_aspect_ratio", "1:1").replace(":", "/"), Fraction(1))
    width = max(1, round(width * aspect))
    turns = [int(side["rotation"]) for side in stream.get("side_data_list", []) if "rotation" in side]
    return (height, width) if turns and turns[0] % 180 else (width, height)


def _rate(stream: Mapping[str, Any]) -> Fraction:
    """Give the rate that frames come at: the nominal one where frames are left out of it at times.

    A nominal rate far above the average is a clock's, not a picture's (90000 is seen), and an
    average can be missing.
    """
    average = _ratio(stream.get("avg_frame_rate", ""), Fraction(0))
    nominal = _ratio(stream.get("r_frame_rate", ""), Fraction(0))
    if not 1 <= average <= FASTEST:
        return nominal if 1 <= nominal <= FASTEST else Fraction(25)
    return nominal if average <= nominal <= VARIABLE_UP_TO * average else average


def _ratio(text: str, otherwise: Fraction) -> Fraction:
    try:
        return Fraction(text) or otherwise
    except (ValueError, ZeroDivisionError):  # ffprobe writes N/A and 0/0
        return otherwise


def _seconds(text: str | None) -> Fraction:
    return _ratio(text or "", Fraction(0))
