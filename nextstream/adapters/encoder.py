"""Probes and encodes with ffmpeg and ffprobe, which read sources by themselves."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from nextstream.adapters import processes
from nextstream.adapters.scratch import Scratch
from nextstream.adapters.toolchain import Toolchain
from nextstream.domain import captions, ffmpeg, probe, storyboard
from nextstream.domain.plan import Piece, Plan, Voice
from nextstream.domain.video import SourceInfo
from nextstream.errors import EncoderBusy, EncoderFailed, SourceNotVideo
from nextstream.ports import EncodedPiece, Report
from nextstream.settings import Settings

PICTURE_WAIT_S = 5.0  # how long a picture waits for others to be done


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
        return Toolchain.find(self._settings)

    def probe(self, source: str, size_bytes: int) -> SourceInfo:
        """Look into a source: its headers, and its end for the picture's true length."""
        found = processes.ask(probe.command(self._tools.ffprobe, source))
        info = replace(probe.parse(found), size_bytes=size_bytes)
        if info.video is None:
            return info
        video, base = info.video, probe.parse_time_base(found, info.video.index)
        for from_s in (float(info.start_s + info.duration_s) - probe.TAIL_S, 0.0):
            tail = processes.ask(probe.tail_command(self._tools.ffprobe, source, video.index, from_s))
            end_s = probe.parse_end(tail, base, 1 / video.rate)
            if end_s is not None and end_s > video.start_s:
                return replace(info, video=replace(video, end_s=end_s))
        raise SourceNotVideo(detail="the video track has no packets")

    def encode(self, source: str, plan: Plan, piece: Piece, report: Report) -> Iterator[EncodedPiece]:
        """Make all rungs of a chunk in one decode."""
        threads = plan.threads or self._threads
        with self._scratch.folder(plan.most_bytes(piece)) as folder:
            command = ffmpeg.encode_command(self._tools.ffmpeg, source, plan, piece, folder, threads)
            processes.run(command, "frame", report)
            yield from _collect(folder, piece.rungs)
            if storyboard.sheet(plan, piece):
                yield EncodedPiece(storyboard.NAME, _read(folder, f"{storyboard.NAME}.jpg"))

    def encode_audio(self, source: str, plan: Plan, voice: Voice) -> Generator[bytes, None, None]:
        """Make a whole audio track, which needs no scratch space: it comes through a pipe."""
        command = ffmpeg.audio_command(self._tools.ffmpeg, source, plan, voice)
        yield from processes.stream(command)

    def extract_texts(self, source: str, plan: Plan, report: Report) -> Iterator[EncodedPiece]:
        """Give all subtitles of a source; those with nothing in them are left out."""
        with self._scratch.folder(len(plan.texts) * captions.MAX_BYTES) as folder:
            command = ffmpeg.text_command(self._tools.ffmpeg, source, plan, folder)
            processes.run(command, "out_time_us", lambda _: report(0))
            for text in plan.texts:
                path = Path(folder, f"{text.name}.vtt")
                if path.exists() and path.stat().st_size <= captions.MAX_BYTES:
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


def _read(folder: str, name: str) -> bytes:
    """Give a picture that ffmpeg made; it makes none, without a word, of a frame that isn't there."""
    try:
        return Path(folder, name).read_bytes()
    except FileNotFoundError as error:
        raise EncoderFailed(detail=f"ffmpeg made no {name}") from error


def _collect(folder: str, names: tuple[str, ...]) -> Iterator[EncodedPiece]:
    """Give the files one at a time, so that only one is in memory."""
    for name in names:
        yield EncodedPiece(name, Path(folder, f"{name}.mp4").read_bytes())
