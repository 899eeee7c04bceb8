"""What an operator accepts of a source; each limit has an error of its own."""

from __future__ import annotations

from dataclasses import dataclass

from nextstream.domain.source import SourceInfo
from nextstream.errors import (
    SourceHasGap,
    SourceTooFast,
    SourceTooLarge,
    SourceTooLong,
    SourceTooManyStreams,
    UploadTooLarge,
)


@dataclass(frozen=True)
class Limits:
    """The most that a source may have of everything that costs."""

    size_bytes: int
    duration_s: int
    pixels: int
    rate: int
    gap_s: int
    streams: int


def check(source: SourceInfo, limits: Limits) -> None:
    """Raise the error of the first limit that a source is over."""
    if source.size_bytes > limits.size_bytes:
        raise UploadTooLarge(detail=f"{source.size_bytes} bytes")
    if source.streams > limits.streams:
        raise SourceTooManyStreams(detail=f"{source.streams} streams")
    length_s = max(source.duration_s, source.video.duration_s if source.video else 0)
    if length_s > limits.duration_s:
        raise SourceTooLong(detail=f"{float(length_s):.0f} s")
    if source.longest_gap_s > limits.gap_s:
        raise SourceHasGap(detail=f"{float(source.longest_gap_s):.0f} s")
    if source.video and source.video.width * source.video.height > limits.pixels:
        raise SourceTooLarge(detail=f"{source.video.width}x{source.video.height}")
    if source.video and source.video.rate > limits.rate:
        raise SourceTooFast(detail=f"{float(source.video.rate):.0f} frames per second")
