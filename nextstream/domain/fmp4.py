"""Fragmented MP4 (ISO/IEC 14496-12): reads what ffmpeg writes, and writes CMAF segments from it.

ffmpeg's own segmenting muxers write wrong edit lists and manifests, so it only encodes; the
samples it makes are put into our segments unchanged, with decode times that run on from chunk
to chunk.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from nextstream.domain.video import Segment, Span
from nextstream.errors import EncoderFailed

_NOT_WHOLE = "the encoder's output is no whole fragmented MP4"
_CONTAINERS = {b"moov", b"trak", b"edts", b"mdia", b"minf", b"stbl", b"mvex", b"moof", b"traf"}
# One track, one offset edit, a keyframe first: CMAF's structural brand (ISO/IEC 23000-19, 7.2).
_FTYP = struct.pack(">I4s4sI4s4s4s", 28, b"ftyp", b"iso6", 0, b"iso6", b"cmfc", b"mp41")
_NOT_SYNC = 0x0001_0000  # sample_is_non_sync_sample, 8.8.3.1
_SYNC_FLAGS = 0x0200_0000  # sample_depends_on = 2: on no other
_OTHER_FLAGS = 0x0101_0000  # depends on others, and is no sync sample


@dataclass(frozen=True)
class Sample:
    """One coded frame: its times in the track's timescale, and where its bytes are in the file."""

    ticks: int
    offset_ticks: int
    is_sync: bool
    span: Span


@dataclass(frozen=True)
class Track:
    """A one-track fragmented MP4; `init` is its ftyp and moov, `codec` the RFC 6381 name.

    Its edit list says that what is presented starts at `start_ticks`: the encoder's delay.
    """

    init: bytes
    timescale: int
    codec: str
    start_ticks: int
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class Defaults:
    """What a trex or tfhd says of samples that don't say it themselves."""

    ticks: int = 0
    size_bytes: int = 0
    flags: int = 0


def read(data: bytes) -> Track:
    """Read a file ffmpeg made; raises EncoderFailed where it is not whole."""
    try:
        boxes = list(_boxes(data, 0, len(data)))
        moov = next(box for box in boxes if box[0] == b"moov")
        defaults = _trex(data, _find(boxes, b"trex"))
        mdhd = _find(boxes, b"mdhd")
        timescale = _u32(data, mdhd + (20 if data[mdhd] else 12))
        codec = _codec(data, _find(boxes, b"stsd"), moov[3])
        init = _FTYP + data[moov[1] : moov[3]]
        samples = tuple(_samples(data, boxes, defaults))
        if any(s.span.offset + s.span.size_bytes > len(data) for s in samples):
            raise IndexError("mdat")
        return Track(init, timescale, codec, _start_ticks(data, boxes), samples)
    except (struct.error, IndexError, ValueError, StopIteration) as error:
        raise EncoderFailed(detail=_NOT_WHOLE) from error


def read_fragments(blocks: Iterable[bytes]) -> Iterator[tuple[Track, bytes]]:
    """Read a file while it is made: each fragment as a track of its own, with the bytes it is in.

    Raises EncoderFailed where the file ends in the middle of a box, or before its first fragment.
    """
    head, fragment = b"", b""
    for kind, box in _top_boxes(blocks):
        if kind == b"moof" or (fragment and kind == b"mdat"):
            fragment += box
        elif not fragment:
            head += box
        if kind == b"mdat":
            data, fragment = head + fragment, b""
            yield read(data), data
    if fragment or not head:
        raise EncoderFailed(detail=_NOT_WHOLE)


def _top_boxes(blocks: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Give each outermost box with its kind, as soon as it is whole."""
    waiting = bytearray()
    for block in blocks:
        waiting += block
        while (size := _box_size(waiting)) <= len(waiting):
            yield bytes(waiting[4:8]), bytes(waiting[:size])
            del waiting[:size]
    if waiting:
        raise EncoderFailed(detail=_NOT_WHOLE)


def _box_size(data: bytes | bytearray) -> int:
    """Give how many bytes the first box has; more than there are, where they are too few to tell."""
    size = _u32(data, 0) if len(data) >= 8 else 8
    if size == 1:  # the real size lies behind the kind
        size = int(struct.unpack_from(">Q", data, 8)[0]) if len(data) >= 16 else 16
    if size < 8:
        raise EncoderFailed(detail=_NOT_WHOLE)
    return size


def parts(init: bytes) -> dict[bytes, bytes]:
    """Give the boxes of a one-track init segment by their kind, those that hold others left out."""
    return {
        kind: init[start:end]
        for kind, start, _, end in _boxes(init, 0, len(init))
        if kind not in _CONTAINERS
    }


def start_ticks(init: bytes) -> int:
    """Give the time in the track that its edit list starts at."""
    return _start_ticks(init, list(_boxes(init, 0, len(init))))


def read_moof(moof: bytes) -> tuple[Sample, ...]:
    """Read the samples of one of our own fragments by its moof; spans count from the moof's start."""
    return tuple(_samples(moof, list(_boxes(moof, 0, len(moof))), Defaults()))


def write(samples: Sequence[Sample], source: bytes, sequence: int, start_ticks: int) -> bytes:
    """Write samples as one moof and mdat, decoded from `start_ticks` on (tfdt, 8.8.12)."""
    uniform = len({s.ticks for s in samples}) == 1
    composed = any(s.offset_ticks for s in samples)
    first = _SYNC_FLAGS if samples[0].is_sync else _OTHER_FLAGS
    rest = _SYNC_FLAGS if samples[-1].is_sync else _OTHER_FLAGS
    tfhd_flags = 0x02_0000 | 0x20 | (0x08 if uniform else 0)  # default-base-is-moof, default flags
    tfhd = full_box(b"tfhd", 0, tfhd_flags, 1, *([samples[0].ticks] if uniform else []), rest)
    tfdt = box(b"tfdt", struct.pack(">IQ", 1 << 24, start_ticks))
    mfhd = full_box(b"mfhd", 0, 0, sequence)
    columns = _trun_columns(samples, with_ticks=not uniform, with_offset=composed)
    trun_flags = 0x01 | 0x04 | 0x200 | (0 if uniform else 0x100) | (0x800 if composed else 0)
    trun_size = 8 + 4 + 4 + 4 + 4 + len(columns)
    moof_size = 8 + len(mfhd) + 8 + len(tfhd) + len(tfdt) + trun_size
    # Version 1: composition offsets are signed.
    trun = struct.pack(">IIiI", 1 << 24 | trun_flags, len(samples), moof_size + 8, first) + columns
    traf = box(b"traf", tfhd + tfdt + box(b"trun", trun))
    payload = b"".join(source[s.span.offset : s.span.offset + s.span.size_bytes] for s in samples)
    return box(b"moof", mfhd + traf) + box(b"mdat", payload)


@dataclass(frozen=True)
class Slice:
    """A media segment ready to be stored."""

    segment: Segment
    body: bytes


def slice_video(data: bytes, track: Track, first_segment: int, gop: int, gops: int) -> Iterator[Slice]:
    """Slice a chunk into segments of `gops` fragments of `gop` frames each.

    `first_segment` counts from 0 over the rendition; all frames before it have the same
    duration. Raises EncoderFailed where a fragment doesn't start with a keyframe.
    """
    frame_ticks = track.samples[0].ticks
    for n, start in enumerate(range(0, len(track.samples), gop * gops)):
        number = first_segment + n + 1
        runs = [
            track.samples[i : i + gop]
            for i in range(start, min(start + gop * gops, len(track.samples)), gop)
        ]
        if not all(run[0].is_sync for run in runs):
            raise EncoderFailed(detail=f"segment {number} has a GOP without a keyframe at its start")
        frame = (number - 1) * gop * gops
        yield _join(data, runs, number, frame * frame_ticks, gops)


@dataclass
class _Run:
    """The frames of a segment as they gather, with their bytes."""

    samples: list[Sample]
    body: bytearray

    def add(self, sample: Sample, data: bytes) -> None:
        offset, size = sample.span.offset, sample.span.size_bytes
        self.samples.append(replace(sample, span=Span(len(self.body), size)))
        self.body += data[offset : offset + size]


def slice_audio(
    blocks: Iterable[bytes], segment_s: Fraction, segments: int
) -> Iterator[tuple[Track, Slice]]:
    """Slice an audio track into `segments` segments of `segment_s` while it comes in.

    Each is cut to the nearest frame and given as soon as the next one begins, with the track as
    it was read so far. The encoder's priming is in the first one but not in its duration, for it
    isn't presented; the rest of the last frame stays in the last one.
    """
    run, number, start = _Run([], bytearray()), 1, 0
    time: int | None = None
    for track, data in read_fragments(blocks):
        time = -track.start_ticks if time is None else time
        segment_ticks = float(segment_s * track.timescale)
        for sample in track.samples:
            here = min(int(max(time, 0) / segment_ticks), segments - 1) + 1
            if here > number and run.samples:
                yield track, _sound(track, run, number, start)
                start += sum(s.ticks for s in run.samples)
                run = _Run([], bytearray())
            number = here
            run.add(sample, data)
            time += sample.ticks
    if run.samples:
        yield track, _sound(track, run, number, start)


def _sound(track: Track, run: _Run, number: int, start: int) -> Slice:
    made = _join(bytes(run.body), [run.samples], number, start, 1)
    heard = made.segment.ticks - (track.start_ticks if start == 0 else 0)
    return replace(made, segment=replace(made.segment, ticks=heard, keyframes=()))


def _join(data: bytes, runs: Sequence[Sequence[Sample]], number: int, start: int, gops: int) -> Slice:
    body, keyframes = b"", []
    ticks = 0
    for n, run in enumerate(runs):
        fragment = write(run, data, (number - 1) * gops + n + 1, start + ticks)
        payload = sum(s.span.size_bytes for s in run)
        first_frame_end = len(fragment) - payload + run[0].span.size_bytes
        keyframes.append(Span(len(body), first_frame_end))
        body += fragment
        ticks += sum(s.ticks for s in run)
    return Slice(Segment(number, ticks, len(body), tuple(keyframes)), body)


def _trun_columns(samples: Sequence[Sample], *, with_ticks: bool, with_offset: bool) -> bytes:
    rows = bytearray()
    for s in samples:
        rows += struct.pack(">I", s.ticks) if with_ticks else b""
        rows += struct.pack(">I", s.span.size_bytes)
        rows += struct.pack(">i", s.offset_ticks) if with_offset else b""
    return bytes(rows)


def box(kind: bytes, body: bytes) -> bytes:
    """Give a box around its body (4.2)."""
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full_box(kind: bytes, version: int, flags: int, *numbers: int) -> bytes:
    """Give a box that begins with version and flags, of 32-bit numbers."""
    return box(kind, struct.pack(f">{1 + len(numbers)}I", version << 24 | flags, *numbers))


def _u32(data: bytes | bytearray, at: int) -> int:
    return int(struct.unpack_from(">I", data, at)[0])


_Box = tuple[bytes, int, int, int]  # kind, start, start of the body, end


def _boxes(data: bytes, at: int, end: int) -> Iterator[_Box]:
    """Walk all boxes, parents before children; a box that overruns its parent is an IndexError."""
    while at < end:
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            size, head = struct.unpack_from(">Q", data, at + 8)[0], 16
        if size < head or at + size > end:
            raise IndexError(kind)
        yield kind, at, at + head, at + size
        if kind in _CONTAINERS:
            yield from _boxes(data, at + head, at + size)
        at += size


def _find(boxes: Sequence[_Box], kind: bytes) -> int:
    """Give where the body of the first box of a kind starts."""
    return next(body for found, _, body, _ in boxes if found == kind)


def _start_ticks(data: bytes, boxes: Sequence[_Box]) -> int:
    """Give the media time of the edit list's one entry (8.6.6); 0 without one."""
    edits = [body for kind, _, body, _ in boxes if kind == b"elst"]
    if not edits:
        return 0
    form, at = (">q", edits[0] + 16) if data[edits[0]] else (">i", edits[0] + 12)
    return int(struct.unpack_from(form, data, at)[0])


def _trex(data: bytes, at: int) -> Defaults:
    return Defaults(*struct.unpack_from(">III", data, at + 12))


def _samples(data: bytes, boxes: Sequence[_Box], trex: Defaults) -> Iterator[Sample]:
    moof, defaults = 0, trex
    for kind, start, body, _ in boxes:
        if kind == b"moof":
            moof = start
        elif kind == b"tfhd":
            defaults = _tfhd(data, body, trex)
        elif kind == b"trun":
            yield from _trun(data, body, moof, defaults)


def _tfhd(data: bytes, at: int, trex: Defaults) -> Defaults:
    flags, at = _u32(data, at) & 0xFF_FFFF, at + 8
    at += (8 if flags & 0x1 else 0) + (4 if flags & 0x2 else 0)
    values = [trex.ticks, trex.size_bytes, trex.flags]
    for n, bit in enumerate((0x8, 0x10, 0x20)):
        if flags & bit:
            values[n], at = _u32(data, at), at + 4
    return Defaults(*values)


def _trun(data: bytes, at: int, moof: int, defaults: Defaults) -> Iterator[Sample]:
    flags, count = _u32(data, at) & 0xFF_FFFF, _u32(data, at + 4)
    offset = moof + struct.unpack_from(">i", data, at + 8)[0]  # ffmpeg always writes data_offset
    at += 12
    first_flags = _u32(data, at) if flags & 0x4 else None
    at += 4 if flags & 0x4 else 0
    for n in range(count):
        row = [defaults.ticks, defaults.size_bytes, defaults.flags, 0]
        for column, bit in enumerate((0x100, 0x200, 0x400, 0x800)):
            if flags & bit:
                row[column], at = struct.unpack_from(">i", data, at)[0], at + 4
        ticks, size, sample_flags, composition = row
        if n == 0 and first_flags is not None:
            sample_flags = first_flags
        yield Sample(ticks, composition, not sample_flags & _NOT_SYNC, Span(offset, size))
        offset += size


def _codec(data: bytes, stsd: int, end: int) -> str:
    """Give the RFC 6381 name from the sample entry's own configuration."""
    entry = data[stsd + 12 : stsd + 16]
    if entry not in _NAMERS:
        raise EncoderFailed(detail=f"the encoder made {entry!r}, which has no codec name here")
    configuration, name = _NAMERS[entry]
    return name(data, data.index(configuration, stsd, end) + 4)


def _avc_name(data: bytes, at: int) -> str:
    return "avc1." + data[at + 1 : at + 4].hex()  # RFC 6381, 3.3


def _hevc_name(data: bytes, at: int) -> str:
    """Name HEVC after ISO/IEC 14496-15, annex E.3, from its hvcC box (8.3.3.1)."""
    space, tier, profile = data[at + 1] >> 6, data[at + 1] >> 5 & 1, data[at + 1] & 31
    compatible = int(f"{_u32(data, at + 2):032b}"[::-1], 2)  # in reverse, the highest bit last
    constraints = data[at + 6 : at + 12].rstrip(b"\0")
    parts = [f"{' ABC'[space].strip()}{profile}", f"{compatible:X}", f"{'LH'[tier]}{data[at + 12]}"]
    return ".".join(["hvc1", *parts, *(f"{byte:X}" for byte in constraints)])


def _av1_name(data: bytes, at: int) -> str:
    """Name AV1 after its ISOBMFF binding, section 5, from its av1C box (2.3.3)."""
    profile, level, flags = data[at + 1] >> 5, data[at + 1] & 31, data[at + 2]
    depth = (12 if flags & 0x20 else 10) if flags & 0x40 else 8
    return f"av01.{profile}.{level:02d}{'MH'[flags >> 7]}.{depth:02d}"


def _aac_name(data: bytes, at: int) -> str:
    return f"mp4a.40.{_audio_object_type(data, at)}"


def _audio_object_type(data: bytes, at: int) -> int:
    """Read AudioSpecificConfig's first five bits (ISO/IEC 14496-3, 1.6.2.1) out of an esds box."""
    at = data.index(b"\x05", data.index(b"\x04", at + 4) + 15)  # DecoderSpecificInfo's tag
    while data[at + 1] & 0x80:  # its length, in up to four bytes
        at += 1
    return data[at + 2] >> 3


# A sample entry's name: the box that configures its decoder, and who reads a codec's name from it.
_NAMERS: dict[bytes, tuple[bytes, Callable[[bytes, int], str]]] = {
    b"avc1": (b"avcC", _avc_name),
    b"hvc1": (b"hvcC", _hevc_name),
    b"av01": (b"av1C", _av1_name),
    b"mp4a": (b"esds", _aac_name),
}
