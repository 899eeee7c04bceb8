"""Probes and encodes with ffmpeg and ffprobe, which read sources by themselves."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path

from nextstream.adapters import processes, sandbox
from nextstream.adapters.prober import Prober
from nextstream.adapters.sandbox import Limits
from nextstream.adapters.scratch import Scratch
from nextstream.adapters.toolchain import Toolchain
from nextstream.domain import captions, damage, ffmpeg, storyboard
from nextstream.domain import plan as plans
from nextstream.domain.plan import Piece, Plan, Voice
from nextstream.domain.source import SourceInfo
from nextstream.errors import EncoderBusy, EncoderFailed, Misconfigured
from nextstream.ports import EncodedPiece, Report
from nextstream.settings import Settings

PICTURE_WAIT_S = 5.0  # how long a picture waits for others to be done
LEAST_WALL_S = 600  # what any piece may take, however short it is
SPARE_BYTES = 64 * 1024**2
# Somebody waits for the opening chunk to watch, so all else steps back for it: to a third of its share
# of a processor that both want, and alike among themselves.
REST_NICE = 5


class FfmpegEncoder:
    """Encodes with ffmpeg in a scratch folder of its own for each piece."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._threads = settings.threads_each
        self._scratch = Scratch(settings.scratch_dir)
        self._pictures = threading.BoundedSemaphore(max(1, settings.thumbnails_at_once))

    @cached_property
    def _tools(self) -> Toolchain:
        """Find the programs when they are needed: web servers only make thumbnails with them."""
        tools = Toolchain.find(self._settings)
        if self._settings.sandbox_required and (reason := sandbox.obstacle(tools.ffmpeg)):
            raise Misconfigured(f"bubblewrap doesn't work here: {reason}; see docs/architecture.md.")
        return tools

    def probe(self, source: str, size_bytes: int) -> SourceInfo:
        """Look into a source: its headers, a short decode, and its packets for its true length."""
        return Prober(self._tools, source).look(size_bytes)

    def encode(self, source: str, plan: Plan, piece: Piece, report: Report) -> Iterator[EncodedPiece]:
        """Make all rungs of a chunk in one decode."""
        threads = plan.threads or self._threads
        begun_s = Fraction(0) if plan.run_up_s is not None else piece.first_frame / plan.rate
        length_s = begun_s + piece.frames / plan.rate
        limits = self._limits(plan, length_s, max(r.maxrate_bps for r in plan.rungs))
        # Nothing comes out while what lies before is decoded.
        limits = replace(limits, stall_s=limits.stall_s + float(begun_s))
        if piece.first_frame == 0 and piece.frames <= plan.segment_frames:
            limits = replace(limits, nice=0)
        with self._scratch.folder(plan.most_bytes(piece)) as folder:

            def make(of: str | None) -> damage.Words:
                words = damage.Words(counts_broken=plan.run_up_s is not None or plan.ends_with(piece))
                command = ffmpeg.encode_command(self._tools.ffmpeg, of, plan, piece, folder, threads)
                processes.run(command, "frame", report, limits, words.hear)
                return words

            words = make(source)
            if words.frames_out == 0:
                make(None)
            expected = plans.expect(plan, piece)
            for name in piece.rungs:  # one at a time, so that only one is in memory
                data = Path(folder, f"{name}.mp4").read_bytes()
                yield EncodedPiece(name, data, words.lost(expected), words.broken(expected))
            if storyboard.sheet(plan, piece):
                yield EncodedPiece(storyboard.NAME, _read(folder, f"{storyboard.NAME}.jpg"))

    def encode_audio(self, source: str, plan: Plan, voice: Voice) -> Generator[bytes, None, None]:
        """Make a whole audio track, which needs no scratch space: it comes through a pipe."""
        command = ffmpeg.audio_command(self._tools.ffmpeg, source, plan, voice)
        yield from processes.stream(command, self._limits(plan, plan.duration_s, voice.bitrate_bps))

    def extract_texts(self, source: str, plan: Plan, report: Report) -> Iterator[EncodedPiece]:
        """Give all subtitles of a source; those with nothing in them are left out."""
        with self._scratch.folder(len(plan.texts) * captions.MAX_TAKEN_BYTES) as folder:
            command = ffmpeg.text_command(self._tools.ffmpeg, source, plan, folder)
            limits = self._limits(plan, plan.duration_s, 0)
            limits = replace(limits, stall_s=limits.wall_s)  # an hour may pass without a word
            processes.run(command, "out_time_us", lambda _: report(0), limits)
            for text in plan.texts:
                path = Path(folder, text.name)
                if path.exists() and path.stat().st_size <= captions.MAX_TAKEN_BYTES:
                    yield EncodedPiece(text.name, path.read_bytes())

    def picture(self, film: bytes, frame: int, width: int, height: int, form: str) -> bytes:
        """Decode one frame of our own segments."""
        with self._one_of_few(), tempfile.TemporaryDirectory(prefix="nextstream-") as folder:
            path = Path(folder, "film.mp4")
            path.write_bytes(film)
            processes.run(
                ffmpeg.picture_command(
                    self._tools.ffmpeg, str(path), frame, (width, height), form, folder
                ),
                "frame",
                lambda _: None,
            )
            return _read(folder, f"picture.{form}")

    @contextmanager
    def _one_of_few(self) -> Iterator[None]:
        if not self._pictures.acquire(timeout=PICTURE_WAIT_S):
            raise EncoderBusy
        try:
            yield
        finally:
            self._pictures.release()

    def _limits(self, plan: Plan, length_s: Fraction, bitrate_bps: int) -> Limits:
        """Give what a piece may use: far more than any needs, far less than would hurt the machine."""
        wall_s = LEAST_WALL_S + float(length_s) * self._settings.encode_max_factor
        return Limits(
            wall_s=wall_s,
            stall_s=self._settings.encode_stall_s,
            cpu_s=int(wall_s * max(1, self._settings.threads_each) * max(1, len(plan.rungs))),
            file_bytes=SPARE_BYTES + int(length_s * bitrate_bps) // 8 * 4,
            memory_bytes=self._settings.encode_max_memory_bytes,
            nice=REST_NICE,
        )


def _read(folder: str, name: str) -> bytes:
    """Give a picture that ffmpeg made; it makes none, without a word, of a frame that isn't there."""
    try:
        return Path(folder, name).read_bytes()
    except FileNotFoundError as error:
        raise EncoderFailed(detail=f"ffmpeg made no {name}") from error
