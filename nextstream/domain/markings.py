"""What a source says of its parts: chapters, subtitles, and whom tracks are for (ffprobe's JSON)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from nextstream.domain import labels
from nextstream.domain.source import Chapter, Purpose, TextTrack

# Subtitles made of characters, which ffmpeg can give as WebVTT. Pictures (PGS, DVB, DVD) are not,
# and CEA-608 in a video stream is dropped: manifests say CLOSED-CAPTIONS=NONE.
TEXT_CODECS = frozenset({"mov_text", "subrip", "srt", "ass", "ssa", "webvtt", "text", "webvtt_bare"})
# WebVTT as the Matroska specification has it (S_TEXT/WEBVTT, by mkvmerge), which ffmpeg has no name for:
# blocks of cue text alone. It is told by its header, which is the track's private data.
BARE_WEBVTT = "webvtt_bare"
_HEADER = b"WEBVTT".hex()
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


def is_text(stream: Mapping[str, Any]) -> bool:
    """Tell subtitles, be they text or pictures."""
    return stream.get("codec_type") == "subtitle"


def has_unnamed(streams: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether there are subtitles that ffmpeg has no name for."""
    return any(is_text(stream) and "codec_name" not in stream for stream in streams)


def _named(stream: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give subtitles with the name of their codec where only their `extradata`, a dump, has it."""
    dump = "".join(stream.get("extradata", "").partition(":")[2].split()[:3])
    return {"codec_name": BARE_WEBVTT, **stream} if dump == _HEADER else stream


def purpose(stream: Mapping[str, Any]) -> Purpose:
    """Read whom a track is for from its disposition flags."""
    flags = stream.get("disposition", {})
    found = next((each for name, each in _PURPOSES.items() if flags.get(name)), Purpose.MAIN)
    return Purpose.CAPTIONS if is_text(stream) and found is Purpose.CLARITY else found


def language(stream: Mapping[str, Any]) -> str:
    """Read a track's language as its source writes it; `und` where that can be no tag."""
    code = str(stream.get("tags", {}).get("language", ""))
    fits = 0 < len(code) <= labels.LONGEST_TAG and code.isprintable()
    return code if fits else labels.UNDETERMINED


def title(found: Mapping[str, Any]) -> str | None:
    """Read the title of a track or chapter, up to TITLE_MAX, on one line."""
    said = str(found.get("tags", {}).get("title", ""))[: 10 * TITLE_MAX]  # of what may hold nothing
    return labels.clean(said)[:TITLE_MAX].strip() or None


def texts(streams: Sequence[Mapping[str, Any]]) -> tuple[TextTrack, ...]:
    """Give the subtitles that can become WebVTT, up to TEXTS_MAX."""
    found = [s for s in map(_named, streams) if is_text(s) and s.get("codec_name") in TEXT_CODECS]
    return tuple(
        TextTrack(
            index=stream["index"],
            codec=stream["codec_name"],
            language=language(stream),
            title=title(stream),
            purpose=purpose(stream),
        )
        for stream in found[:TEXTS_MAX]
    )


def chapters(
    found: Sequence[Mapping[str, Any]], origin_s: Fraction, length_s: Fraction
) -> tuple[Chapter, ...]:
    """Give the chapters, up to CHAPTERS_MAX, in seconds since the video's start, at `origin_s`.

    None goes on after the video has ended, and none begins then. What says no start is left out.
    """
    every = (_chapter(each, n, origin_s) for n, each in enumerate(found[:CHAPTERS_MAX], start=1))
    return tuple(replace(c, end_s=min(c.end_s, length_s)) for c in every if c and c.start_s < length_s)


def _chapter(found: Mapping[str, Any], number: int, origin_s: Fraction) -> Chapter | None:
    try:
        start_s = max(Fraction(found["start_time"]) - origin_s, Fraction(0))
        end_s = Fraction(found.get("end_time", 0)) - origin_s
    except (KeyError, ValueError):  # ffprobe leaves out what it doesn't know
        return None
    return Chapter(start_s, max(start_s, end_s), title(found) or f"Chapter {number}")
