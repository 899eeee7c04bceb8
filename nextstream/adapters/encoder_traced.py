"""An encoder whose runs of ffmpeg are steps of the traces they belong to."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from nextstream.domain.plan import Piece, Plan, Voice
from nextstream.domain.source import SourceInfo
from nextstream.ports import EncodedPiece, Encoder, Fact, Report, SpanKind, Tracer


class TracedEncoder:
    """Notes each run when it has ended: what encodes gives its results bit by bit."""

    def __init__(self, encoder: Encoder, tracer: Tracer) -> None:
        self._encoder = encoder
        self._tracer = tracer

    def probe(self, source: str, size_bytes: int) -> SourceInfo:
        """Look into a source."""
        with self._noted("ffprobe", size_bytes=size_bytes):
            return self._encoder.probe(source, size_bytes)

    def encode(self, source: str, plan: Plan, piece: Piece, report: Report) -> Iterator[EncodedPiece]:
        """Make all rungs of a chunk; ffmpeg has ended when there is the first of them."""
        made = iter(self._encoder.encode(source, plan, piece, report))
        with self._noted("ffmpeg", frames=piece.frames, rungs=",".join(piece.rungs)):
            first = next(made, None)
        if first is not None:
            yield first
        yield from made

    def encode_audio(self, source: str, plan: Plan, voice: Voice) -> Generator[bytes, None, None]:
        """Make a whole audio track."""
        with self._noted("ffmpeg", voice=voice.name):
            yield from self._encoder.encode_audio(source, plan, voice)

    def picture(self, film: bytes, frame: int, width: int, height: int, form: str) -> bytes:
        """Decode one frame."""
        with self._noted("ffmpeg", picture=form):
            return self._encoder.picture(film, frame, width, height, form)

    def extract_texts(self, source: str, plan: Plan, report: Report) -> Iterator[EncodedPiece]:
        """Give all subtitles of a source."""
        with self._noted("ffmpeg", texts=len(plan.texts)):
            yield from self._encoder.extract_texts(source, plan, report)

    @contextmanager
    def _noted(self, name: str, **facts: Fact) -> Iterator[None]:
        parent, began_at = self._tracer.context(), datetime.now(UTC)
        error = None
        try:
            yield
        except Exception as raised:
            error = type(raised).__name__
            raise
        finally:
            ended_at, kind = datetime.now(UTC), SpanKind.INTERNAL
            self._tracer.note(name, parent, began_at, ended_at, kind, error=error, **facts)
