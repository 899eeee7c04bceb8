"""The playlists of one rendition each: its segments, its keyframes, or its subtitles."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import accumulate

from nextstream.domain import paths
from nextstream.domain.hls.rates import gops
from nextstream.domain.video import Rendition

VERSION = 6  # RFC 8216, section 7: EXT-X-MAP in a playlist of more than I-frames


def media(rendition: Rendition, target_s: int, *, ended: bool = True, encrypted: bool = False) -> str:
    """Write the media playlist that lies beside a rendition's segments.

    Unless `ended` it may grow, and is played from its start. Segments may only be added. Those that
    are `encrypted` have the key of their version, and their media sequence number as IV.
    """
    lines = _head(target_s, "VOD" if ended else "EVENT")
    if not ended:
        lines.append("#EXT-X-START:TIME-OFFSET=0")
    lines.append(f'#EXT-X-MAP:URI="{paths.INIT}"')
    if encrypted:  # behind the map, which it so doesn't hold for: players take AES-128 of it otherwise
        lines.append(f'#EXT-X-KEY:METHOD=AES-128,URI="../{paths.KEY}"')
    durations = _durations([s.ticks for s in rendition.segments], rendition.timescale)
    for segment, duration in zip(rendition.segments, durations, strict=True):
        lines += [f"#EXTINF:{duration},", paths.segment_name(segment.number)]
    return _text(lines, ended=ended)


def iframes(rendition: Rendition, target_s: int) -> str:
    """Write the playlist of keyframes alone, byte ranges of the segments, for scrubbing (6.1)."""
    lines = [*_head(target_s, "VOD"), "#EXT-X-I-FRAMES-ONLY", f'#EXT-X-MAP:URI="{paths.INIT}"']
    found = tuple(gops(rendition))
    durations = _durations([gop.ticks for gop in found], rendition.timescale)
    for gop, duration in zip(found, durations, strict=True):
        byte_range = f"#EXT-X-BYTERANGE:{gop.span.size_bytes}@{gop.span.offset}"
        lines += [f"#EXTINF:{duration},", byte_range, paths.segment_name(gop.number)]
    return _text(lines, ended=True)


def text(rendition: Rendition) -> str:
    """Write the playlist of subtitles, which are one file for the whole video (5.7 allows it)."""
    lines = _head(math.ceil(rendition.duration_s), "VOD")
    for duration in _durations([s.ticks for s in rendition.segments], rendition.timescale):
        lines += [f"#EXTINF:{duration},", paths.TEXT]
    return _text(lines, ended=True)


def _head(target_s: int, playlist_type: str) -> list[str]:
    return [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{target_s}",
        f"#EXT-X-PLAYLIST-TYPE:{playlist_type}",
    ]


def _text(lines: list[str], *, ended: bool) -> str:
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""] if ended else [*lines, ""])


def _durations(ticks: Sequence[int], timescale: int) -> Iterator[str]:
    """Give durations in seconds whose running sum is never more than half a microsecond off (8.1)."""
    before = 0
    for end in accumulate(ticks):
        now = round(Fraction(end * 1_000_000, timescale))
        yield f"{(now - before) // 1_000_000}.{(now - before) % 1_000_000:06d}"
        before = now
