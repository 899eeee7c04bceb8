"""Runs ffmpeg and ffprobe, which read sources by themselves and are killed with whatever goes wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from functools import cached_property, partial
from pathlib import Path
from typing import IO, Any

from nextstream import lifeline
from nextstream.adapters.toolchain import Toolchain
from nextstream.domain import ffmpeg
from nextstream.domain.plan import Piece, Plan, Voice
from nextstream.domain.video import SourceInfo
from nextstream.errors import EncoderFailed, SourceNotVideo
from nextstream.ports import EncodedPiece, Report
from nextstream.settings import Settings

PROBE_TIMEOUT_S = 60


class FfmpegEncoder:
    """Encodes with ffmpeg in a scratch folder of its own for each piece."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._threads = settings.threads_each
        self._scratch = settings.scratch_dir or None

    @cached_property
    def _tools(self) -> Toolchain:
        """Find the programs when they are needed: web servers never encode, and may lack them."""
        return Toolchain.find(self._settings)

    def probe(self, source: str, size_bytes: int) -> SourceInfo:
        """Look into a source: its headers, and its end for the picture's true length."""
        found = self._ask(ffmpeg.probe_command(self._tools.ffprobe, source))
        info = replace(ffmpeg.parse_probe(found), size_bytes=size_bytes)
        if info.video is None:
            return info
        video, base = info.video, ffmpeg.parse_time_base(found, info.video.index)
        for from_s in (float(info.start_s + info.duration_s) - ffmpeg.TAIL_S, 0.0):
            tail = self._ask(ffmpeg.tail_command(self._tools.ffprobe, source, video.index, from_s))
            end_s = ffmpeg.parse_end(tail, base, 1 / video.rate)
            if end_s is not None and end_s > video.start_s:
                return replace(info, video=replace(video, end_s=end_s))
        raise SourceNotVideo(detail="the video track has no packets")

    def encode(self, source: str, plan: Plan, piece: Piece, report: Report) -> Iterator[EncodedPiece]:
        """Make all rungs of a chunk in one decode."""
        with tempfile.TemporaryDirectory(prefix="nextstream-", dir=self._scratch) as folder:
            command = ffmpeg.encode_command(
                self._tools.ffmpeg, source, plan, piece, folder, self._threads
            )
            _run(command, "frame", report)
            yield from _collect(folder, piece.rungs)

    def encode_audio(
        self, source: str, plan: Plan, voice: Voice, report: Report
    ) -> Iterator[EncodedPiece]:
        """Make a whole audio track."""

        def report_time(done_us: int) -> None:
            report(min(plan.frames, max(0, int(Fraction(done_us, 1_000_000) * plan.rate))))

        with tempfile.TemporaryDirectory(prefix="nextstream-", dir=self._scratch) as folder:
            command = ffmpeg.audio_command(self._tools.ffmpeg, source, plan, voice, folder)
            _run(command, "out_time_us", report_time)
            yield from _collect(folder, (voice.name,))

    def _ask(self, command: list[str]) -> dict[str, Any]:
        """Run ffprobe and give its JSON; raises SourceNotVideo with its own words."""
        with _started(command) as (process, errors):
            try:
                out, _ = process.communicate(timeout=PROBE_TIMEOUT_S)
            except subprocess.TimeoutExpired as error:
                raise SourceNotVideo(detail=f"ffprobe took over {PROBE_TIMEOUT_S} s") from error
            if process.returncode:
                raise SourceNotVideo(detail=_last_words(errors))
        answer: dict[str, Any] = json.loads(out)
        return answer


def _collect(folder: str, names: tuple[str, ...]) -> Iterator[EncodedPiece]:
    """Give the files one at a time, so that only one is in memory."""
    for name in names:
        yield EncodedPiece(name, Path(folder, f"{name}.mp4").read_bytes())


def _run(command: list[str], measure: str, report: Report) -> None:
    """Run ffmpeg to its end and report its progress; raises EncoderFailed, or what `report` does."""
    with _started(command) as (process, errors):
        assert process.stdout is not None  # it is a pipe  # noqa: S101  narrows the type
        for line in process.stdout:
            progress = ffmpeg.parse_progress(line.decode())
            if progress and progress[0] == measure:
                report(progress[1])
        if process.wait():
            raise EncoderFailed(detail=_last_words(errors))


@contextmanager
def _started(command: list[str]) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """Start a program that doesn't outlive the block, nor this process, however they end."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={},  # no credentials near untrusted input
            process_group=0,
            preexec_fn=partial(lifeline.die_with, os.getpid(), signal.SIGKILL),  # noqa: PLW1509  two system calls, which threads don't disturb
        )
        try:
            yield process, errors
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()


def _last_words(errors: IO[bytes]) -> str:
    errors.seek(0)
    return ffmpeg.last_lines(errors.read().decode(errors="replace"))
