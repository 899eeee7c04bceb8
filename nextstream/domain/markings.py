"""What a source says of its parts: chapters, subtitles, and whom tracks are for (ffprobe's JSON)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from nextstream.domain import labels
from nextstream.domain.video import Chapter, Purpose, TextTrack

# Subtitles made of characters, which ffmpeg can give as WebVTT. Pictures (PGS, DVB, DVD) are not,
# and CEA-608 in a video stream is dropped: manifests say CLOSED-CAPTIONS=NONE.
TEXT_CODECS = frozenset({"mov_text", "subrip", "srt", "ass", "ssa", "webvtt", "text"})
TEXTS_MAX = 64
CHAPTERS_MAX = 1000
TITLE_MAX = 200  # characters

# ffmpeg's dispositions, the more telling first: a track for the deaf may be a dub as well.
_PURPOSES = {
    "forced": Purpose.FORCED,
    "comment": Purpose.COMMENTARY,
    "visual_impaired": Purpose.DESCRIPTION,
    "descriptions": Purpose.DESCRIPTION,
    "hearing_impaired": Purpose.CLARITY,
    "captions": Purpose.CAPTIONS,
}


def purpose(stream: Mapping[str, Any]) -> Purpose:
    """Read whom a track is for from its disposition flags."""
    flags = stream.get("disposition", {})
    found = next((each for name, each in _PURPOSES.items() if flags.get(name)), Purpose.MAIN)
    is_text = stream.get("codec_type") == "subtitle"
    return Purpose.CAPTIONS if is_text and found is Purpose.CLARITY else found


def texts(streams: Sequence[Mapping[str, Any]]) -> tuple[TextTrack, ...]:
    """Give the subtitles that can become WebVTT, up to TEXTS_MAX."""
    found = [
        s for s in streams if s.get("codec_type") == "subtitle" and s.get("codec_name") in TEXT_CODECS
    ]
    return tuple(
        TextTrack(
            index=stream["index"],
            codec=stream["codec_name"],
            language=stream.get("tags", {}).get("language", "und"),
            title=stream.get("tags", {}).get("title"),
            purpose=purpose(stream),
        )
        for stream in found[:TEXTS_MAX]
    )


def chapters(found: Sequence[Mapping[str, Any]], origin_s: Fraction) -> tuple[Chapter, ...]:
    """Give the chapters, up to CHAPTERS_MAX, in seconds since the first frame, at `origin_s`."""
    return tuple(_chapter(each, n, origin_s) for n, each in enumerate(found[:CHAPTERS_MAX], start=1))


def _chapter(found: Mapping[str, Any], number: int, origin_s: Fraction) -> Chapter:
    start_s, end_s = (
        max(Fraction(found[name]) - origin_s, Fraction(0)) for name in ("start_time", "end_time")
    )
    title = labels.clean(found.get("tags", {}).get("title", ""))[:TITLE_MAX]
    return Chapter(start_s, max(start_s, end_s), title or f"Chapter {number}")
