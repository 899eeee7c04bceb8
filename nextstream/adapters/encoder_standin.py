"""An encoder that takes the time of an encode and no CPU, to measure everything around it."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from nextstream.adapters.encoder_memory import CLIP, MemoryEncoder
from nextstream.domain.plan import Piece, Plan, Voice
from nextstream.domain.source import SourceInfo
from nextstream.errors import Misconfigured
from nextstream.ports import EncodedPiece, Report

REPORT_EVERY_S = 0.5  # as ffmpeg does
DECODE_SHARE = 0.2  # of the time of all rungs together: who makes fewer decodes all the same


@dataclass(frozen=True)
class Pace:
    """How long the source is, and how many seconds of it are encoded in one, in all rungs."""

    duration_s: float = 3600.0
    speed: float = 1.0
    sound_speed: float = 60.0


class StandInEncoder(MemoryEncoder):
    """Makes what the twin in memory makes, at a pace."""

    def __init__(self, pace: Pace) -> None:
        super().__init__(_source(pace.duration_s))
        self._pace = pace

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Open `standin://?duration_s=3600&speed=1&sound_speed=60`, whose parts may be left out."""
        try:
            return cls(Pace(**{name: float(value) for name, value in parse_qsl(urlsplit(url).query)}))
        except (TypeError, ValueError) as error:
            raise Misconfigured(
                f"NEXTSTREAM_FFMPEG is {url}; a stand-in has duration_s, speed and sound_speed."
            ) from error

    def takes_s(self, plan: Plan, piece: Piece) -> float:
        """Give the planned seconds of a chunk or a track."""
        source_s = float(piece.frames / plan.rate)
        if piece.voice:
            return source_s / self._pace.sound_speed
        return source_s / self._pace.speed * _share(plan, piece)

    def encode(self, source: str, plan: Plan, piece: Piece, report: Report) -> Iterator[EncodedPiece]:
        """Make all rungs of a chunk when their time is over."""
        for share in _shares(self.takes_s(plan, piece)):
            report(int(share * piece.frames))
        yield from super().encode(source, plan, piece, report)

    def encode_audio(self, source: str, plan: Plan, voice: Voice) -> Generator[bytes, None, None]:
        """Make an audio track block by block, over its time."""
        made = b"".join(super().encode_audio(source, plan, voice))
        given = 0
        for share in _shares(float(plan.duration_s) / self._pace.sound_speed):
            upto = int(share * len(made))
            yield made[given:upto]
            given = upto


def _source(duration_s: float) -> SourceInfo:
    """Give a source of this length that is otherwise the twin's."""
    length = Fraction(duration_s)
    assert CLIP.video is not None  # noqa: S101  narrows the type
    return replace(CLIP, duration_s=length, video=replace(CLIP.video, end_s=length))


def _share(plan: Plan, piece: Piece) -> float:
    """Give the share of the work of all rungs that a piece's rungs are, by their pixels."""
    pixels = {rung.name: rung.width * rung.height for rung in plan.rungs}
    mine = sum(pixels[name] for name in piece.rungs) / sum(pixels.values())
    return DECODE_SHARE + (1 - DECODE_SHARE) * mine


def _shares(takes_s: float) -> Iterator[float]:
    """Give what share of a time is over, now and then, until all is."""
    begun, steps = time.monotonic(), max(1, math.ceil(takes_s / REPORT_EVERY_S))
    for step in range(1, steps + 1):
        time.sleep(max(0.0, begun + takes_s * step / steps - time.monotonic()))
        yield step / steps
