"""Command lines for ffmpeg and ffprobe, and what their output means; nothing is run here."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import ffmpeg

from nextstream.domain.plan import Piece, Plan, Rung, Voice
from nextstream.domain.video import AudioTrack, SourceInfo, VideoTrack
from nextstream.errors import SourceNotVideo

# Demuxers for real files. Playlists, scripts and image sequences can name other files, and a
# protocol whitelist doesn't keep them from it.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,avi,flv,ogg,asf,"
    "wav,mp3,flac,aac,ac3,h264,hevc,m4v,mpegvideo,ivf,obu,mxf,gxf,dv,rm,caf,aiff,amr"
)
SEEK_BACK_S = 1  # start a second early: the keyframe before is decoded up to the first frame anyway
FASTEST = 1000  # frames per second; above it a rate is a clock's
VARIABLE_UP_TO = Fraction(5, 2)  # a phone's 30 may average 12 in the dark
TAIL_S = 10  # how much of a source's end is read to find its last frame

_READING = {
    "format_whitelist": FORMATS,
    # The source itself and nothing it points to: by path, or by a signed URL of the storage.
    "protocol_whitelist": "file,http,https,tcp,tls",
}


def name_input(source: str) -> str:
    """Give a path or URL as ffmpeg takes it: a path can't be mistaken for an option or a pattern."""
    return source if source.startswith(("http://", "https://")) else f"file:{source}"


def probe_command(binary: str, source: str) -> list[str]:
    """Build the ffprobe call that describes a source as JSON for `parse_probe`."""
    return [*_probe(binary), "-show_format", "-show_streams", name_input(source)]


def tail_command(binary: str, source: str, index: int, from_s: float) -> list[str]:
    """Build the ffprobe call that lists a stream's packets from `from_s` on, for `parse_end`."""
    return [
        *_probe(binary),
        *("-select_streams", str(index)),
        *("-read_intervals", f"{max(0.0, from_s):.3f}%"),
        *("-show_entries", "packet=pts,duration,flags"),
        name_input(source),
    ]


def _probe(binary: str) -> list[str]:
    reading = [word for option, value in _READING.items() for word in (f"-{option}", value)]
    return [binary, "-loglevel", "error", *reading, "-of", "json"]


def parse_probe(found: Mapping[str, Any]) -> SourceInfo:
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
    return SourceInfo(
        format=container.get("format_name", ""),
        start_s=start_s,
        duration_s=duration_s,
        size_bytes=int(container.get("size", 0)),
        video=_video_track(videos[0], start_s, duration_s) if videos else None,
        audio=tuple(_audio_track(s) for s in sounds),
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


def picture(source: str, plan: Plan, piece: Piece, threads: int) -> Any:
    """Give the frames of a chunk as a stream of ffmpeg-python, before they are scaled.

    They are those of a whole decode, whatever chunk they are in: framemd5 says so on constant
    and variable rate sources with start offsets.
    """
    start_s = piece.first_frame / plan.rate
    return (
        ffmpeg.input(name_input(source), **_seek(plan, start_s), threads=threads)[
            str(plan.source_video_index)
        ]
        # One grid for all chunks: earlier frames are dropped, gaps filled with the frame before.
        .filter("fps", fps=plan.rate, start_time=_decimal(start_s))
        # A source that ends a little early holds its last picture, as players do.
        .filter("tpad", stop_mode="clone", stop_duration=1)
        .filter("trim", end_frame=piece.frames)
        # Every chunk's file starts at 0, so that their init segments are the same.
        .filter("setpts", "PTS-STARTPTS")
    )


def encode_command(
    binary: str, source: str, plan: Plan, piece: Piece, folder: str, threads: int
) -> list[str]:
    """Build the ffmpeg call that decodes a chunk once and makes all its rungs.

    Each rung is `{folder}/{rung.name}.mp4`, fragmented, with times that start at 0.
    """
    rungs = [rung for rung in plan.rungs if rung.name in piece.rungs]
    pictures = picture(source, plan, piece, threads).filter_multi_output("split", len(rungs))
    outputs = [
        ffmpeg.output(
            pictures.stream(n)
            .filter("scale", rung.width, rung.height)
            .filter("setsar", 1)
            .filter("format", "yuv420p"),
            f"file:{folder}/{rung.name}.mp4",
            **video_options(plan, rung, threads),
        )
        for n, rung in enumerate(rungs)
    ]
    return list(ffmpeg.merge_outputs(*outputs).compile(cmd=_running(binary)))


def audio_command(binary: str, source: str, plan: Plan, voice: Voice, folder: str) -> list[str]:
    """Build the ffmpeg call that makes a whole audio track, `{folder}/{voice.name}.mp4`.

    Sound is encoded in one go: chunked AAC drifts by 41 ms at each joint.
    """
    sound = (
        ffmpeg.input(name_input(source), **_seek(plan, Fraction(0)))[str(voice.source_index)]
        # Gaps are filled, and the track starts where the picture does.
        .filter("aresample", 48000, **{"async": 1}, first_pts=0)
        .filter("aformat", channel_layouts="stereo")
        # As long as the picture: every rendition has to cover the same time (HLS 8.3).
        .filter("apad")
        .filter("atrim", end=_decimal(plan.duration_s))
    )
    return list(
        ffmpeg.output(sound, f"file:{folder}/{voice.name}.mp4", **_audio_options(voice)).compile(
            cmd=_running(binary)
        )
    )


def parse_progress(line: str) -> tuple[str, int] | None:
    """Read a line of -progress: frames done, or microseconds done (`frame`, `out_time_us`)."""
    name, _, value = line.strip().partition("=")
    if name in ("frame", "out_time_us") and value.lstrip("-").isdigit():
        return name, int(value)
    return None


def _running(binary: str) -> list[str]:
    return [
        binary,
        "-nostdin",  # a worker's terminal is not ffmpeg's
        "-hide_banner",
        *("-loglevel", "error"),  # the last lines become the failure's detail
        "-nostats",
        *("-progress", "pipe:1"),
        "-y",
        "-copyts",  # the source's own clock, so that frames fall on the grid
    ]


def _seek(plan: Plan, start_s: Fraction) -> dict[str, Any]:
    """Give the input options that put frame 0 of the grid at time 0, and start just before `start_s`."""
    options: dict[str, Any] = dict(_READING, itsoffset=_decimal(-plan.origin_s))
    seek_s = plan.origin_s - plan.container_start_s + start_s - SEEK_BACK_S
    if start_s and seek_s > 0:
        # From the keyframe on, all frames reach the grid: it drops what is early, and has the
        # right one to repeat where a gap lies over the chunk's start.
        options |= {"ss": _decimal(seek_s), "noaccurate_seek": None}
    return options


def video_options(plan: Plan, rung: Rung, threads: int) -> dict[str, Any]:
    """Give the output options of a rung, as ffmpeg-python takes them."""
    return {
        "c:v": "libx264",
        "preset": plan.preset,
        "profile:v": "high",  # HLS Authoring Specification 1.4
        "crf": rung.crf,  # capped CRF: easy pictures cost less,
        "maxrate": rung.maxrate_bps,  # hard ones no more than the ladder says
        "bufsize": rung.bufsize_bits,
        "g": plan.gop_frames,  # in frames: times drift off the grid at 29.97 and 59.94
        "keyint_min": plan.gop_frames,
        "sc_threshold": 0,  # keyframes on the grid alone, the same in every rung
        "bf": 2,
        "threads": threads,
        "color_range": "tv",
        **_packaging(),
        "video_track_timescale": plan.timescale,  # holds the grid exactly
        # Times are right only with the moov written after the first frames (delay_moov); the
        # rest is how our reader wants it.
        "movflags": "+frag_keyframe+delay_moov+default_base_moof+skip_trailer",
    }


def _audio_options(voice: Voice) -> dict[str, Any]:
    return {
        "c:a": "aac",
        "b:a": voice.bitrate_bps,
        "ac": voice.channels,
        "ar": 48000,
        **_packaging(),
        "metadata:s:a:0": f"language={voice.language}",
        "frag_duration": 10_000_000,  # bounds ffmpeg's memory; our segments are cut anew
        "movflags": "+delay_moov+default_base_moof+skip_trailer",
    }


def _packaging() -> dict[str, Any]:
    return {
        "format": "mp4",
        "map_metadata": -1,  # a source's tags are data for the API, not for the segments
        "map_chapters": -1,
        # Init segments of all chunks have to be the same to the byte.
        "fflags": "+bitexact",
        "flags": "+bitexact",
    }


def _decimal(seconds: Fraction | int) -> str:
    return f"{float(seconds):.6f}"


def last_lines(stderr: str, count: int = 20) -> str:
    """Give the end of ffmpeg's own words, for the operator."""
    return "\n".join(stderr.strip().splitlines()[-count:])
