"""Runs ffmpeg and ffprobe, which are killed with whatever goes wrong."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, Any

from nextstream import lifeline
from nextstream.domain import ffmpeg
from nextstream.errors import EncoderFailed, SourceNotVideo
from nextstream.ports import Report

PROBE_TIMEOUT_S = 60
TICK_S = 0.5  # a claim is kept, or its loss noticed, also while ffmpeg has nothing to say
BLOCK_BYTES = 64 * 1024  # what a pipe holds


def ask(command: list[str]) -> dict[str, Any]:
    """Run ffprobe and give its JSON; raises SourceNotVideo with its own words."""
    with started(command) as (process, errors):
        try:
            out, _ = process.communicate(timeout=PROBE_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise SourceNotVideo(detail=f"ffprobe took over {PROBE_TIMEOUT_S} s") from error
        if process.returncode:
            raise SourceNotVideo(detail=_last_words(errors))
    answer: dict[str, Any] = json.loads(out)
    return answer


def run(command: list[str], measure: str, report: Report) -> None:
    """Run ffmpeg to its end and report its progress; raises EncoderFailed, or what `report` does."""
    with started(command) as (process, errors):
        assert process.stdout is not None  # it is a pipe  # noqa: S101  narrows the type
        for line in process.stdout:
            progress = ffmpeg.parse_progress(line.decode())
            if progress and progress[0] == measure:
                report(progress[1])
        if process.wait():
            raise EncoderFailed(detail=_last_words(errors))


def stream(command: list[str]) -> Iterator[bytes]:
    """Run ffmpeg and give what it writes to its standard output, and nothing where it is silent.

    Raises EncoderFailed at the end.
    """
    with started(command) as (process, errors):
        assert process.stdout is not None  # it is a pipe  # noqa: S101  narrows the type
        output, block = process.stdout.fileno(), b" "
        while block:
            is_there = bool(select.select([output], [], [], TICK_S)[0])
            block = os.read(output, BLOCK_BYTES) if is_there else block
            yield block if is_there else b""
        if process.wait():
            raise EncoderFailed(detail=_last_words(errors))


@contextmanager
def started(command: list[str]) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
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
