"""What a source's packets tell of it: where it really ends, its gaps, and its clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

TAIL_S = 10  # how much of a source's end is read to find its last frame
JUMP_S = 10  # a clock that goes on more than this far away was set anew, as ffmpeg sees it too
BACK_S = Fraction(1, 10)  # and so was one that goes back


@dataclass(frozen=True)
class Packet:
    """A packet's times in the stream's unit; None where the source doesn't say."""

    pts: int | None
    dts: int | None
    duration: int
    is_shown: bool
    is_key: bool = False


@dataclass(frozen=True)
class Survey:
    """What packets amount to: `end_s` is on the source's clock, or None where it has none.

    `length_s` is the time they last, each jump of the clock counted as one frame. `longest_gop_s` is
    the longest time without a keyframe; 0 where no packet says when it is.
    """

    count: int
    end_s: Fraction | None
    length_s: Fraction
    longest_gap_s: Fraction
    jumps: int
    longest_gop_s: Fraction = Fraction(0)


def read(lines: Iterable[str]) -> Iterator[Packet]:
    """Read what ffprobe answers to probe.packets_command."""
    for line in lines:
        pts, dts, duration, flags, *_ = [*line.split(","), "", "", ""]
        if flags:
            # D: cut away by an edit list
            yield Packet(
                _number(pts), _number(dts), _number(duration) or 0, "D" not in flags, "K" in flags
            )


def survey(packets: Iterable[Packet], time_base: Fraction, frame_s: Fraction) -> Survey:
    """Sum packets up; `frame_s` is how long a frame lasts where a packet doesn't say."""
    frame = frame_s / time_base
    count, jumps, length, longest = 0, 0, Fraction(0), Fraction(0)
    key, longest_gop = None, 0
    end: Fraction | None = None  # in the stream's unit, as all here
    before: int | None = None
    for packet in packets:
        count += packet.is_shown
        stamp = packet.pts if packet.pts is not None else packet.dts
        lasts = packet.duration or frame
        if stamp is not None and packet.is_shown:
            end = Fraction(stamp + lasts) if end is None else max(end, Fraction(stamp + lasts))
        if stamp is not None:
            longest_gop = max(longest_gop, stamp - key) if key is not None else 0
            key = stamp if packet.is_key or key is None else key
        step = _step(packet, before) or frame
        if before is not None and _is_jump(step * time_base):
            jumps, step = jumps + 1, frame
        if before is None:
            step = Fraction(lasts)
        length, longest = length + step, max(longest, Fraction(step))
        before = packet.dts if packet.dts is not None else before
    return Survey(
        count,
        None if end is None else end * time_base,
        length * time_base,
        longest * time_base,
        jumps,
        longest_gop * time_base,
    )


def _step(packet: Packet, before: int | None) -> Fraction | None:
    """Give the time since the packet before, in decoding order."""
    if packet.dts is None or before is None:
        return Fraction(packet.duration) if packet.duration else None
    return Fraction(packet.dts - before)


def _is_jump(step_s: Fraction) -> bool:
    return step_s > JUMP_S or step_s < -BACK_S


def _number(text: str) -> int | None:
    return int(text) if text.lstrip("-").isdigit() else None
