"""How each rendition is encoded: the output options of ffmpeg, a reason beside each."""

from __future__ import annotations

from typing import Any

from nextstream.domain.plan import Plan, Rung, Voice


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


def _packaging() -> dict[str, Any]:
    return {
        "format": "mp4",
        "map_metadata": -1,  # a source's tags are data for the API, not for the segments
        "map_chapters": -1,
        # Init segments of all chunks have to be the same to the byte.
        "fflags": "+bitexact",
        "flags": "+bitexact",
    }
