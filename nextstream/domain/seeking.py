"""Where decoding has to begin so that a frame comes out as in a decode of the whole source."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction

from nextstream.domain import reading, trial
from nextstream.domain.packets import Survey
from nextstream.domain.source import RUN_UP_S, SourceInfo, VideoTrack

INDEXED = frozenset({"mov", "mp4", "matroska", "webm"})

# Without one, a seek finds a time, which may lie between keyframes. The decoder gives nothing until it
# can give the right frame, so it needs a way to run up: to the next keyframe, and from there through
# the pictures that renew themselves bit by bit (H.264's recovery points), which take as long again.
SEARCHED = frozenset({"mpegts", "mpeg", "flv"})
MOST_S = Fraction(30)  # a longer way costs more than it saves
WRAPS_S = Fraction(2**33, 90_000)  # where the clock of MPEG systems starts at 0 again

FROM_S = 6  # what is shorter is one segment
_FIRST_S = 5  # about where the second chunk's decode begins: the first keyframe may come later

_SHOWN = re.compile(r"showinfo.* n: *0 .*pts_time:(-?[\d.]+) .*iskey:(\d) type:(\S)")
_ROUNDING_S = Fraction(1, 1000)


def has_index(formats: str) -> bool:
    """Tell whether a seek in files of these formats, in ffprobe's names, finds a keyframe."""
    return reading.is_of(formats, INDEXED)


def run_up_s(info: SourceInfo, survey: Survey) -> Fraction | None:
    """Give how long before a frame decoding has to begin; None where that isn't to be known."""
    if not reading.is_of(info.format, SEARCHED) or info.has_jumps:
        return None
    wraps = info.start_s < 0 or info.start_s + info.duration_s >= WRAPS_S
    way_s = 2 * survey.longest_gop_s + RUN_UP_S
    return None if wraps or not survey.longest_gop_s or way_s > MOST_S else way_s


def times(track: VideoTrack) -> tuple[Fraction, ...]:
    """Give where a decode from the middle is tried, on the source's clock."""
    return track.start_s + _FIRST_S, track.start_s + track.duration_s / 2


def command(binary: str, source: str, index: int, seek_s: Fraction) -> list[str]:
    """Build the ffmpeg call that decodes a frame after a seek, as a chunk does."""
    return [
        *trial.calling(binary),
        *("-copyts", "-noaccurate_seek", "-ss", f"{float(seek_s):.6f}"),
        *("-threads", "1"),  # so that the frame comes out after few packets
        *trial.reading_of(source),
        *("-map", f"0:{index}", *trial.SHOWING, "-frames:v", "1", "-f", "null", "-"),
    ]


def starts(words: Iterable[str], at_s: Fraction) -> bool:
    """Tell whether decoding started where the seek was to: with a whole picture, and no later.

    Not so where keyframes are such in name only: pictures that are renewed bit by bit (x264's
    intra-refresh), or a file that doesn't list them. Nor where a seek fails: ffmpeg goes on somewhere.
    """
    pts_s, is_key, kind = _first(words)
    # Decoders that know of nothing but whole pictures may not say so.
    return _is_by(pts_s, at_s) and (is_key == "1" or kind not in "PB")


def arrives(words: Iterable[str], at_s: Fraction) -> bool:
    """Tell whether the first frame that came of a seek is in time, on the source's clock."""
    pts_s, _, _ = _first(words)
    return _is_by(pts_s, at_s)


def _is_by(pts_s: str, at_s: Fraction) -> bool:
    return float(pts_s) <= at_s + _ROUNDING_S


def _first(words: Iterable[str]) -> tuple[str, str, str]:
    found = (match for line in words if (match := _SHOWN.search(line)))
    first = next(found, None)
    return (first[1], first[2], first[3]) if first else ("inf", "0", "")
