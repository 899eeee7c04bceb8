"""What a source's packets tell of it: where it really ends, its gaps, and its clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from nextstream.domain import reading

TAIL_S = 10  # how much of a source's end is read to find its last frame
JUMP_S = 10  # a clock that goes on more than this far away was set anew, as ffmpeg sees it too
BACK_S = Fraction(1, 10)  # and so was one that goes back
# Whose clock may be set forward, as ffmpeg sees it, which mends that; elsewhere a gap is a gap.
_SKIPPING = frozenset({"mpegts", "mpeg", "ogg", "live_flv", "dhav"})

# ffmpeg's flags of a packet (AV_PKT_FLAG_*), and its word for a time that isn't known (AV_NOPTS_VALUE).
_KEY, _DISCARD = 1, 4
_NO_TIME = -(2**63)


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

    `length_s` is the time they last, each jump of the clock counted as one frame. `last_s` is when the
    last one begins. `longest_gop_s` is the longest time without a keyframe; 0 where no packet says when
    it is.
    """

    count: int
    end_s: Fraction | None
    length_s: Fraction
    longest_gap_s: Fraction
    jumps: int
    last_s: Fraction | None = None
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


def read_copied(lines: Iterable[str], time_base: Fraction) -> Iterator[Packet]:
    """Read what ffmpeg answers to dump.packets_command, in units of `time_base`."""
    scales: dict[str, Fraction] = {}
    for line in lines:
        if line.startswith("#tb "):
            stream, _, base = line.removeprefix("#tb ").partition(": ")
            scales[stream] = Fraction(base) / time_base
        elif not line.startswith("#"):
            stream, dts, pts, duration, _, _, *more = (word.strip() for word in line.split(","))
            scale = scales[stream]
            # Those that are key frames and nothing else come without flags.
            flags = next((int(word[2:], 16) for word in more if word.startswith("F=")), _KEY)
            lasts = _scaled(duration, scale) or 0
            yield Packet(
                _scaled(pts, scale), _scaled(dts, scale), lasts, not flags & _DISCARD, bool(flags & _KEY)
            )


def _scaled(text: str, scale: Fraction) -> int | None:
    return None if int(text) == _NO_TIME else round(int(text) * scale)


def without_clock(packets: Iterable[Packet], time_base: Fraction, frame_s: Fraction) -> Iterator[Packet]:
    """Give packets of bare pictures without their times, each as long as a frame.

    One may hold a field, or a frame of three, and says so; all other lengths are made up.
    """
    frame = frame_s / time_base
    for packet in packets:
        is_likely = frame / 3 < packet.duration < 2 * frame
        lasts = packet.duration if is_likely else 0
        yield replace(packet, pts=None, dts=None, duration=lasts)


def may_skip(form: str) -> bool:
    """Tell whether the clock of a source may be set forward, by ffprobe's name of its format."""
    return reading.is_of(form, _SKIPPING)


def goes_on(sound: Survey, picture: Survey) -> bool:
    """Tell whether a sound goes on where a picture's clock seems to jump: it only stood still."""
    if sound.jumps or sound.end_s is None or picture.end_s is None:
        return False
    return sound.end_s > picture.end_s - JUMP_S


def survey(
    packets: Iterable[Packet],
    time_base: Fraction,
    frame_s: Fraction,
    delay: int = 0,
    *,
    skips: bool = True,
) -> Survey:
    """Sum packets up; `frame_s` is how long a frame lasts where a packet doesn't say.

    `delay` frames are decoded before the first is shown: where not all say when they are shown, the last
    is shown that much later than it is decoded. `skips` tells that a clock may have been set forward,
    so that a long gap is none.
    """
    frame = frame_s / time_base
    tally = _Tally(time_base, frame, delay * frame, skips)
    for packet in packets:
        tally.add(packet)
    return Survey(
        tally.count,
        None if tally.end is None else tally.end * time_base,
        tally.length * time_base,
        tally.longest_gap * time_base,
        tally.jumps,
        None if tally.last is None else tally.last * time_base,
        tally.longest_gop * time_base,
    )


@dataclass
class _Tally:
    """Sums of packets, in the stream's unit."""

    time_base: Fraction
    frame: Fraction
    delay: Fraction
    skips: bool
    count: int = 0
    last: int | None = None
    length: Fraction = Fraction(0)
    longest_gap: Fraction = Fraction(0)
    jumps: int = 0
    longest_gop: int = 0
    _shown_end: Fraction | None = None
    _decoded_end: Fraction | None = None
    _all_say: bool = True
    _key: int | None = None
    _before: int | None = None

    @property
    def end(self) -> Fraction | None:
        """Give when the last one ends, if any says so."""
        return self._shown_end if self._all_say else self._decoded_end

    def add(self, packet: Packet) -> None:
        self.count += packet.is_shown
        is_astray = self.skips and _is_astray(packet, self.time_base)
        stamp = packet.dts if packet.pts is None or is_astray else packet.pts
        if stamp is not None:
            self._place(packet, stamp)
        self._go_on(packet)

    def _place(self, packet: Packet, stamp: int) -> None:
        """Note where a packet lies."""
        if packet.is_shown:
            lasts = packet.duration or self.frame
            decoded = stamp if packet.dts is None else packet.dts + self.delay
            self._shown_end = _later(self._shown_end, Fraction(stamp + lasts))
            self._decoded_end = _later(self._decoded_end, Fraction(max(stamp, decoded) + lasts))
            self._all_say = self._all_say and packet.pts is not None
            self.last = stamp if self.last is None else max(self.last, stamp)
        if self._key is not None:
            self.longest_gop = max(self.longest_gop, stamp - self._key)
        if packet.is_key or self._key is None:
            self._key = stamp

    def _go_on(self, packet: Packet) -> None:
        """Add the time since the packet before."""
        step = _step(packet, self._before) or self.frame
        if self._before is None:
            step = Fraction(packet.duration or self.frame)
        elif _is_jump(step * self.time_base, skips=self.skips):
            self.jumps, step = self.jumps + 1, self.frame
        self.length, self.longest_gap = self.length + step, max(self.longest_gap, Fraction(step))
        if packet.dts is not None:
            self._before = packet.dts


def _later(one: Fraction | None, other: Fraction) -> Fraction:
    return other if one is None else max(one, other)


def _is_astray(packet: Packet, time_base: Fraction) -> bool:
    """Tell a packet whose time was damaged: shown far from where it is decoded."""
    if packet.pts is None or packet.dts is None:
        return False
    return abs(packet.pts - packet.dts) * time_base > JUMP_S


def _step(packet: Packet, before: int | None) -> Fraction | None:
    """Give the time since the packet before, in decoding order."""
    if packet.dts is None or before is None:
        return Fraction(packet.duration) if packet.duration else None
    return Fraction(packet.dts - before)


def _is_jump(step_s: Fraction, *, skips: bool) -> bool:
    return (skips and step_s > JUMP_S) or step_s < -BACK_S


def _number(text: str) -> int | None:
    return int(text) if text.lstrip("-").isdigit() else None
