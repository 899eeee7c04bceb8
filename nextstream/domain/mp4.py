"""Progressive MP4 (ISO/IEC 14496-12) for downloads: sample tables in front, stored segments behind.

The samples of the segments are used as they are; only the moov is made anew, from their moofs.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, groupby

from nextstream.domain import fmp4
from nextstream.domain.fmp4 import Sample, box, full_box
from nextstream.domain.video import Span

RUN_S = 2  # how long a player reads one track before the next comes: sound and picture interleaved
_FTYP = box(b"ftyp", b"isom" + struct.pack(">I", 512) + b"isomiso2avc1mp41")
_MATRIX = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)  # as it is
_MDAT_HEAD_BYTES = 16  # with a 64-bit size, which any length fits into


@dataclass(frozen=True)
class Fragment:
    """The moof of a fragment, and where it lies: `number` is its segment, `offset` its place there."""

    number: int
    offset: int
    moof: bytes


@dataclass(frozen=True)
class Run:
    """Samples of one track that lie side by side in a segment; `track` counts from 0."""

    track: int
    number: int
    span: Span


@dataclass(frozen=True)
class _Chunk:
    """A run with what the tables say of it: its start in seconds, and how many samples it has."""

    run: Run
    start_s: Fraction
    samples: int


@dataclass(frozen=True)
class Movie:
    """A file to be: `head` is all of it before the first run."""

    head: bytes
    runs: tuple[Run, ...]

    @property
    def size_bytes(self) -> int:
        """Give the bytes of the whole file."""
        return len(self.head) + sum(run.span.size_bytes for run in self.runs)


class _Table:
    """What a track's sample tables are made of, in as little memory as a long video needs."""

    def __init__(self, track: int, init: bytes, timescale: int) -> None:
        self.track, self.timescale = track, timescale
        self.parts, self.start_ticks = fmp4.parts(init), fmp4.start_ticks(init)
        self.sizes, self.ticks, self.offsets = array("I"), array("I"), array("i")
        self.syncs = array("I")
        self.total_ticks = 0
        self.chunks: list[_Chunk] = []

    def add(self, fragment: Fragment) -> None:
        """Note a fragment's samples, and cut them into runs."""
        run: list[Sample] = []
        run_ticks = 0
        for sample in fmp4.read_moof(fragment.moof):
            if run_ticks >= RUN_S * self.timescale:
                self._close(fragment, run, run_ticks)
                run, run_ticks = [], 0
            run.append(sample)
            run_ticks += sample.ticks
        self._close(fragment, run, run_ticks)

    def _close(self, fragment: Fragment, run: Sequence[Sample], run_ticks: int) -> None:
        start_s, count = Fraction(self.total_ticks, self.timescale), len(self.sizes)
        size_bytes = sum(sample.span.size_bytes for sample in run)
        span = Span(fragment.offset + run[0].span.offset, size_bytes)
        self.chunks.append(_Chunk(Run(self.track, fragment.number, span), start_s, len(run)))
        self.sizes.extend(sample.span.size_bytes for sample in run)
        self.ticks.extend(sample.ticks for sample in run)
        self.offsets.extend(sample.offset_ticks for sample in run)
        self.syncs.extend(count + n for n, sample in enumerate(run, start=1) if sample.is_sync)
        self.total_ticks += run_ticks

    @property
    def heard_s(self) -> Fraction:
        """Give how long the track is shown: without the encoder's priming, which sound has in front."""
        delay = self.start_ticks if b"smhd" in self.parts else 0
        return Fraction(self.total_ticks - delay, self.timescale)


def make(tracks: Sequence[tuple[bytes, int, Iterable[Fragment]]]) -> Movie:
    """Make a file of tracks, each given by its init segment, timescale and fragments in order.

    It is as long as the first track; a later one that is longer is cut there by its edit list.
    """
    tables = []
    for number, (init, timescale, fragments) in enumerate(tracks):
        tables.append(_Table(number, init, timescale))
        for fragment in fragments:
            tables[-1].add(fragment)
    chunks = sorted(
        chain.from_iterable(table.chunks for table in tables), key=lambda c: (c.start_s, c.run.track)
    )
    moov = _Moov(tables, chunks)
    # Offsets are 64-bit numbers whatever they are, so the size is known before they are.
    first = len(_FTYP) + len(moov.build(0)) + _MDAT_HEAD_BYTES
    payload = sum(chunk.run.span.size_bytes for chunk in chunks)
    mdat = struct.pack(">I4sQ", 1, b"mdat", _MDAT_HEAD_BYTES + payload)
    return Movie(_FTYP + moov.build(first) + mdat, tuple(chunk.run for chunk in chunks))


class _Moov:
    """Builds the moov (8.2.1) for any place of the first chunk."""

    def __init__(self, tables: Sequence[_Table], chunks: Sequence[_Chunk]) -> None:
        self._tables, self._timescale = tables, tables[0].timescale
        self._stbls = [_sample_tables(table) for table in tables]
        self._places: list[list[int]] = [[] for _ in tables]
        at = 0
        for chunk in chunks:
            self._places[chunk.run.track].append(at)
            at += chunk.run.span.size_bytes

    def build(self, first: int) -> bytes:
        duration = self._in_movie(self._tables[0].heard_s)
        times = struct.pack(">IQQIQ", 1 << 24, 0, 0, self._timescale, duration)
        # At full speed and volume; then the reserved, and the number of the next track.
        rest = struct.pack(">IH10x", 0x10000, 0x100) + _MATRIX + bytes(24)
        mvhd = box(b"mvhd", times + rest + struct.pack(">I", len(self._tables) + 1))
        return box(b"moov", mvhd + b"".join(self._trak(table, first) for table in self._tables))

    def _trak(self, table: _Table, first: int) -> bytes:
        heard = self._in_movie(min(table.heard_s, self._tables[0].heard_s))
        parts, number = table.parts, table.track
        # Enabled, and in the movie; what follows the duration is as the encoder wrote it.
        tkhd = struct.pack(">IQQIIQ", 1 << 24 | 3, 0, 0, number + 1, 0, heard) + parts[b"tkhd"][-60:]
        elst = struct.pack(">IIQqHH", 1 << 24, 1, heard, table.start_ticks, 1, 0)
        mdhd = struct.pack(">IQQIQ", 1 << 24, 0, 0, table.timescale, table.total_ticks)
        places = [first + place for place in self._places[number]]
        co64 = box(b"co64", struct.pack(f">II{len(places)}Q", 0, len(places), *places))
        head = parts[b"vmhd" if b"vmhd" in parts else b"smhd"] + parts[b"dinf"]
        minf = box(b"minf", head + box(b"stbl", self._stbls[number] + co64))
        mdia = box(b"mdia", box(b"mdhd", mdhd + parts[b"mdhd"][-4:]) + parts[b"hdlr"] + minf)
        return box(b"trak", box(b"tkhd", tkhd) + box(b"edts", box(b"elst", elst)) + mdia)

    def _in_movie(self, seconds: Fraction) -> int:
        return round(seconds * self._timescale)


def _sample_tables(table: _Table) -> bytes:
    """Build all of an stbl (8.5.1) but the chunks' offsets."""
    made = table.parts[b"stsd"] + _runs_of(b"stts", 0, table.ticks)
    if any(table.offsets):
        made += _runs_of(b"ctts", 1 if min(table.offsets) < 0 else 0, table.offsets)
    if len(table.syncs) < len(table.sizes):  # without the box every sample is one (8.6.2)
        made += full_box(b"stss", 0, 0, len(table.syncs), *table.syncs)
    return made + _chunk_lengths(table) + full_box(b"stsz", 0, 0, 0, len(table.sizes), *table.sizes)


def _runs_of(kind: bytes, version: int, values: Iterable[int]) -> bytes:
    """Build a table of (how often, what) for values in order."""
    runs = [(sum(1 for _ in same), value & 0xFFFF_FFFF) for value, same in groupby(values)]
    return full_box(kind, version, 0, len(runs), *chain.from_iterable(runs))


def _chunk_lengths(table: _Table) -> bytes:
    """Build stsc (8.7.4): from which chunk on chunks have how many samples."""
    rows: list[int] = []
    for number, chunk in enumerate(table.chunks, start=1):
        if not rows or rows[-2] != chunk.samples:
            rows += [number, chunk.samples, 1]
    return full_box(b"stsc", 0, 0, len(rows) // 3, *rows)
