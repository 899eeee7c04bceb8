"""What is measured of a rendition: its target duration, its keyframes and its rates."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from nextstream.domain.video import Rendition, Span


@dataclass(frozen=True)
class Rates:
    """Bits per second of a playlist: of its worst run of segments, and over all of it."""

    peak_bps: int
    average_bps: int


@dataclass(frozen=True)
class Gop:
    """One entry of an I-frame playlist: how long its picture stands, and where its bytes are."""

    ticks: int
    number: int
    span: Span


def gops(rendition: Rendition) -> Iterator[Gop]:
    """Give the keyframes of a rendition; the last of a segment stands for what is left of it."""
    for segment in rendition.segments:
        before = (len(segment.keyframes) - 1) * rendition.gop_ticks
        for span in segment.keyframes:
            last = span is segment.keyframes[-1]
            yield Gop(segment.ticks - before if last else rendition.gop_ticks, segment.number, span)


def target_s(renditions: Sequence[Rendition]) -> int:
    """Give one target duration for all playlists (8.2): the longest segment's, to the nearest second."""
    return max(1, math.floor(longest_s(renditions) + Fraction(1, 2)))


def longest_s(renditions: Sequence[Rendition]) -> Fraction:
    """Give the seconds of the longest segment of pictures and sound."""
    lengths = (Fraction(s.ticks, r.timescale) for r in renditions if not r.is_text for s in r.segments)
    return max(lengths, default=Fraction(0))


def bandwidth(rendition: Rendition, target_s: int) -> Rates:
    """Measure a rendition's rates; the peak over any run of 0.5 to 1.5 targets (RFC 8216, 4.1)."""
    return _measure([(s.ticks, s.size_bytes) for s in rendition.segments], rendition.timescale, target_s)


def iframe_bandwidth(rendition: Rendition, target_s: int) -> Rates:
    """Measure the rates of a rendition's I-frame playlist, as `bandwidth` does."""
    runs = [(gop.ticks, gop.span.size_bytes) for gop in gops(rendition)]
    return _measure(runs, rendition.timescale, target_s)


def _measure(runs: Sequence[tuple[int, int]], timescale: int, target_s: int) -> Rates:
    """Give the rates of (ticks, bytes); a playlist shorter than half a target is one run."""
    whole = _bps(sum(size for _, size in runs), sum(ticks for ticks, _ in runs), timescale)
    windows = (_bps(size, ticks, timescale) for ticks, size in _windows(runs, target_s * timescale))
    return Rates(max(windows, default=whole), whole)


def _windows(runs: Sequence[tuple[int, int]], target: int) -> Iterator[tuple[int, int]]:
    """Give (ticks, bytes) of each contiguous run that lasts 0.5 to 1.5 targets."""
    for first in range(len(runs)):
        length = size = 0
        for ticks, size_bytes in runs[first:]:
            length, size = length + ticks, size + size_bytes
            if 2 * length > 3 * target:
                break
            if 2 * length >= target:
                yield length, size


def _bps(size_bytes: int, ticks: int, timescale: int) -> int:
    return math.ceil(Fraction(8 * size_bytes * timescale, ticks)) if ticks else 0
