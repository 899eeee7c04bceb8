"""How each rendition is encoded: the output options of ffmpeg, a reason beside each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nextstream.domain import levels
from nextstream.domain.markings import BARE_WEBVTT
from nextstream.domain.plan import Plan, Rung, Text, Voice


def video_options(plan: Plan, rung: Rung, threads: int) -> dict[str, Any]:
    """Give the output options of a rung, as ffmpeg-python takes them."""
    return {
        **_ENCODERS[rung.codec](plan, rung, threads),
        "preset": rung.preset or plan.preset,
        "crf": rung.crf,  # capped CRF: easy pictures cost less,
        "maxrate": rung.maxrate_bps,  # hard ones no more than the ladder says
        "bufsize": rung.bufsize_bits,
        "g": plan.gop_frames,  # in frames: times drift off the grid at 29.97 and 59.94
        "threads": threads,
        "color_range": "tv",
        **_packaging(),
        "video_track_timescale": plan.timescale,  # holds the grid exactly
        # Times are right only with the moov written after the first frames (delay_moov); the
        # rest is how our reader wants it.
        "movflags": "+frag_keyframe+delay_moov+default_base_moof+skip_trailer",
    }


def _x264(plan: Plan, rung: Rung, _threads: int) -> dict[str, Any]:
    level = levels.choose(rung.width, rung.height, plan.rate, rung.maxrate_bps, rung.bufsize_bits)
    # Slow presets refer to so many pictures that they need a higher one (1.11): so to fewer.
    stated = {"level": level} if level else {}
    return {
        **stated,
        "c:v": "libx264",
        "profile:v": "high",  # HLS Authoring Specification 1.4
        "keyint_min": plan.gop_frames,
        "sc_threshold": 0,  # keyframes on the grid alone, the same in every rung
        "bf": 2,
    }


def _x265(plan: Plan, _rung: Rung, threads: int) -> dict[str, Any]:
    parameters = {
        "min-keyint": plan.gop_frames,
        "scenecut": 0,  # keyframes on the grid alone,
        "open-gop": 0,  # each a place to start from (HLS Authoring Specification 7.4)
        "repeat-headers": 0,  # parameter sets in the init segment, as hvc1 means (1.10)
        "info": 0,  # no list of options in the stream
        "pools": threads,  # x265 ignores ffmpeg's count
        "frame-threads": 1,  # frames side by side would give other bytes each time
        "log-level": "error",
    }
    return {
        "c:v": "libx265",
        "tag:v": "hvc1",
        "profile:v": "main",
        "x265-params": ":".join(f"{name}={value}" for name, value in parameters.items()),
    }


def _svt_av1(_plan: Plan, _rung: Rung, threads: int) -> dict[str, Any]:
    # Keyframes on the grid alone; SVT-AV1 ignores ffmpeg's count of threads.
    return {"c:v": "libsvtav1", "svtav1-params": f"scd=0:lp={threads}"}


_ENCODERS = {"h264": _x264, "hevc": _x265, "av1": _svt_av1}


def audio_options(voice: Voice) -> dict[str, Any]:
    """Give the output options of an audio track, as ffmpeg-python takes them."""
    return {
        "c:a": "aac",
        "b:a": voice.bitrate_bps,
        "ac": voice.channels,
        "ar": 48000,
        **_packaging(),
        "metadata:s:a:0": f"language={voice.language}",
        "frag_duration": 2_000_000,  # the first segment is there soon; they are cut anew
        "flush_packets": 1,  # and no fragment waits in ffmpeg for the next one
        "movflags": "+delay_moov+default_base_moof+skip_trailer",
    }


def picture_options(form: str) -> dict[str, Any]:
    """Give the output options of a single picture: `jpg` or `webp`."""
    quality = {"c:v": "mjpeg", "q:v": 4} if form == "jpg" else {"c:v": "libwebp", "quality": 80}
    return {
        **quality,
        "frames:v": 1,
        "threads": 1,  # a picture is not worth starting more
        "format": "image2",
        "update": 1,  # the name is a name, and no pattern of numbers
        "flags": "+bitexact",  # no name of the encoder inside: the same picture is the same bytes
    }


# What comes out as it is, and in which format; all else becomes WebVTT.
_TEXTS = {
    "webvtt": ("copy", "webvtt"),  # decoded, it would lose where its cues stand
    "ass": ("copy", "ass"),  # ffmpeg would write what is drawn as numbers
    "ssa": ("copy", "ass"),
    BARE_WEBVTT: ("copy", "srt"),  # which gives a block its time, and leaves its text alone
}


def text_input(texts: Sequence[Text]) -> dict[str, str]:
    """Give the input options of subtitles: a name for those that ffmpeg has none for."""
    bare = (text.source_index for text in texts if text.codec == BARE_WEBVTT)
    # As WebVTT, ffmpeg would take it for WebM's, whose blocks begin with an id and a place.
    return {f"codec:{index}": "subrip" for index in bare}


def text_options(codec: str) -> dict[str, Any]:
    """Give the output options of a track of subtitles, as captions.read takes it."""
    made, form = _TEXTS.get(codec, ("webvtt", "webvtt"))
    return {
        "c:s": made,
        "format": form,
        "map_metadata": -1,  # as for pictures
        "map_chapters": -1,
        "avoid_negative_ts": "disabled",  # times are the source's own; captions.shift moves them
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
