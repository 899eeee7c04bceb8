"""An encoder without ffmpeg: it makes small, well-formed fragmented MP4s of the planned frames."""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterator
from fractions import Fraction

from nextstream.domain import fmp4, storyboard
from nextstream.domain.plan import Piece, Plan, Voice
from nextstream.domain.source import AudioTrack, SourceInfo, VideoTrack
from nextstream.domain.video import Span
from nextstream.errors import EncoderFailed, NextStreamError
from nextstream.ports import EncodedPiece, Report

AAC_TICKS = 1024
AAC_FRAMES = 94  # in a fragment: two seconds
BLOCK_BYTES = 1000
AUDIO_TIMESCALE = 48000
JPEG = b"\xff\xd8\xff\xe0"

CLIP = SourceInfo(
    format="mov,mp4",
    start_s=Fraction(0),
    duration_s=Fraction(20),
    size_bytes=0,
    video=VideoTrack(0, "h264", 1280, 720, Fraction(24), Fraction(0), Fraction(20)),
    audio=(AudioTrack(1, "aac", 2, 48000, "en"),),
)


class MemoryEncoder:
    """Finds `source` in every file, and makes frames that no player can show.

    Errors put into `failing` by a piece's or voice's name are raised, once each; `lost_frames` are
    said to be lost of each chunk, and `broken_frames` of these to be broken.
    """

    def __init__(self, source: SourceInfo = CLIP) -> None:
        self.source = source
        self.failing: dict[str, NextStreamError] = {}
        self.lost_frames = 0
        self.broken_frames = 0

    def probe(self, source: str, size_bytes: int) -> SourceInfo:  # noqa: ARG002  the port's
        """Give the source it was made with."""
        self._fail("probe")
        return self.source

    def encode(self, source: str, plan: Plan, piece: Piece, report: Report) -> Iterator[EncodedPiece]:  # noqa: ARG002  the port's
        """Make all rungs of a chunk."""
        self._fail(piece.name)
        report(piece.frames)
        ticks = int(plan.timescale / plan.rate)
        rungs = {rung.name: rung for rung in plan.rungs}
        for rung in (rungs[name] for name in piece.rungs):
            # Rates that differ as real ones do, of a hundredth of the cap.
            size_bytes = max(16, int(rung.maxrate_bps / plan.rate / 800))
            data = movie(plan.timescale, ticks, piece.frames, plan.gop_frames, size_bytes)
            yield EncodedPiece(rung.name, data, self.lost_frames, self.broken_frames)
        if sheet := storyboard.sheet(plan, piece):
            yield EncodedPiece(storyboard.NAME, JPEG + f"sheet {sheet.first}".encode())

    def encode_audio(self, source: str, plan: Plan, voice: Voice) -> Generator[bytes, None, None]:  # noqa: ARG002  the port's
        """Make a whole audio track, in blocks that end anywhere."""
        self._fail(voice.name)
        frames = -(-int(plan.duration_s * AUDIO_TIMESCALE) // AAC_TICKS) + 1
        made = movie(AUDIO_TIMESCALE, AAC_TICKS, frames, AAC_FRAMES, audio=True)
        for start in range(0, len(made), BLOCK_BYTES):
            yield made[start : start + BLOCK_BYTES]

    def picture(self, film: bytes, frame: int, width: int, height: int, form: str) -> bytes:
        """Name the frame in a file that begins as a picture does."""
        self._fail("picture")
        found = fmp4.read(film).samples[frame : frame + 1]
        if not found:
            raise EncoderFailed(detail="no such frame")
        start = found[0].span.offset
        body = film[start : start + found[0].span.size_bytes]
        head = JPEG if form == "jpg" else b"RIFF\0\0\0\0WEBP"
        return head + f"{width}x{height} ".encode() + body

    def extract_texts(self, source: str, plan: Plan, report: Report) -> Iterator[EncodedPiece]:  # noqa: ARG002  the port's
        """Make one cue for each track."""
        self._fail("text")
        report(0)
        for text in plan.texts:
            cue = f"WEBVTT\n\n00:01.000 --> 00:02.000\nThis is {text.name}.\n"
            yield EncodedPiece(text.name, cue.encode())

    def _fail(self, name: str) -> None:
        if name in self.failing:
            raise self.failing.pop(name)


def movie(
    timescale: int, ticks: int, frames: int, gop: int, size_bytes: int = 16, *, audio: bool = False
) -> bytes:
    """Make a fragmented MP4 of frames of 16 bytes or more, a fragment and a keyframe each `gop`."""
    body = _init(timescale, audio=audio)
    for first in range(0, frames, gop):
        count = min(gop, frames - first)
        samples = [
            fmp4.Sample(ticks, 0, n == 0 or audio, Span(size_bytes * n, size_bytes))
            for n in range(count)
        ]
        payload = b"".join(
            struct.pack(">QQ", timescale, first + n).ljust(size_bytes, b".") for n in range(count)
        )
        body += fmp4.write(samples, payload, first + 1, first * ticks)
    return body


def _init(timescale: int, *, audio: bool) -> bytes:
    entry = _box(b"mp4a", bytes(28), _ESDS) if audio else _box(b"avc1", bytes(78), _AVCC)
    stsd = _box(b"stsd", struct.pack(">II", 0, 1), entry)
    mdhd = _box(b"mdhd", struct.pack(">IIIIII", 0, 0, 0, timescale, 0, 0))
    media = _box(b"smhd" if audio else b"vmhd", bytes(8 if audio else 12))
    minf = _box(b"minf", media, _box(b"dinf"), _box(b"stbl", stsd))
    mdia = _box(b"mdia", mdhd, _box(b"hdlr", bytes(24)), minf)
    trex = _box(b"trex", struct.pack(">IIIIII", 0, 1, 1, 0, 0, 0))
    moov = _box(b"moov", _box(b"trak", _box(b"tkhd", bytes(84)), mdia), _box(b"mvex", trex))
    return _box(b"ftyp", b"iso6\0\0\0\0iso6cmfc") + moov


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


_AVCC = _box(b"avcC", bytes.fromhex("0164001fffe10000"))  # High, level 3.1
_ESDS = _box(
    b"esds",
    # ES_Descriptor, DecoderConfigDescriptor, DecoderSpecificInfo: AAC-LC, 48 kHz, stereo
    bytes.fromhex("00000000 031900 0100 0411 40150000000000000000000000 05021190 060102"),
)
