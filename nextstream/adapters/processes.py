"""Runs ffmpeg and ffprobe within limits; they are killed, with their children, whatever goes wrong."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from nextstream import lifeline
from nextstream.adapters import sandbox
from nextstream.adapters.sandbox import Limits
from nextstream.domain import ffmpeg, probe, reading
from nextstream.errors import EncoderFailed, EncoderTimeout, SourceNotVideo, StorageUnavailable
from nextstream.ports import Report

TICK_S = 0.5  # a cancelled piece is noticed within a second, whether ffmpeg says something or not
BLOCK_BYTES = 64 * 1024  # what a pipe holds
LAST_LINES = 20
LINE_MAX = 300  # characters of a line that are kept
HEARD_MAX = 500  # and that are heard: ffmpeg's own lines are shorter, a stranger's title is not
WORD_BYTES = 16 * 1024  # of a line said to people; the rest of it is dropped
ANSWER_BYTES = 32 * 1024**2  # JSON of more streams than anyone has
PROBING = Limits(wall_s=60, cpu_s=60, file_bytes=0)

Hear = Callable[[str], None]


@dataclass(frozen=True)
class Line:
    """A line a program wrote; `is_word` tells what it says to people from what it answers."""

    text: str
    is_word: bool


def ask(command: list[str], limits: Limits = PROBING) -> dict[str, Any]:
    """Run ffprobe and give its JSON; raises what probe.explain makes of its words."""
    size_bytes, answer = 0, []
    for line in listen(command, limits):
        size_bytes += len(line)
        if size_bytes >= ANSWER_BYTES:
            raise SourceNotVideo(detail="ffprobe says too much of it")
        answer.append(line)
    try:
        found: dict[str, Any] = json.loads("\n".join(answer) or "{}")
    except ValueError as error:
        raise SourceNotVideo(detail=f"what ffprobe says of it is no JSON: {error}") from error
    return found


def listen(command: list[str], limits: Limits = PROBING, hear: Hear = lambda _: None) -> Iterator[str]:
    """Run a program that looks at a source, and give the lines it answers; raises as `ask`.

    Raises StorageUnavailable at the end where a URL could not be read: the lines are no truth then.
    """
    words = _Words(command, hear)
    with started(command, limits) as process:
        try:
            for line in _lines(process, limits):
                if line and line.is_word:
                    words.add(line.text)
                elif line:
                    yield line.text
        except _Overdue as error:
            raise SourceNotVideo(detail=f"looking at it took over {limits.wall_s:.0f} s") from error
        status = process.wait()
        words.check_read(status, strict=True)
        if status:
            raise probe.explain(words.detail(status))


def run(
    command: list[str],
    measure: str,
    report: Report,
    limits: Limits | None = None,
    hear: Hear = lambda _: None,
) -> None:
    """Run ffmpeg to its end; raises EncoderFailed, EncoderTimeout and StorageUnavailable.

    It ends with what `report` raises, too, which gets the progress at least once a second, also
    while there is none. `hear` gets every line that ffmpeg says to people.
    """
    limits = limits or Limits()
    words = _Words(command, hear)
    done, moved_at = 0, time.monotonic()
    with started(command, limits) as process:
        try:
            for line in _lines(process, limits):
                if line and line.is_word:
                    words.add(line.text)
                progress = ffmpeg.parse_progress(line.text) if line and not line.is_word else None
                if progress and progress[0] == measure and progress[1] > done:
                    done, moved_at = progress[1], time.monotonic()
                if line is None or progress:
                    report(done)
                if time.monotonic() - moved_at > limits.stall_s:
                    raise EncoderTimeout(detail=f"no progress for {limits.stall_s:.0f} s, at {done}")
        except _Overdue as error:
            raise EncoderTimeout(detail=f"it took over {limits.wall_s:.0f} s") from error
        status = process.wait()
        words.check_read(status)
        if status:
            raise EncoderFailed(detail=words.detail(status))


class _Words:
    """What a program says to people: passed on, the last trouble kept, failed reads noted."""

    def __init__(self, command: list[str], hear: Hear) -> None:
        self._hear = hear
        self._is_remote = reading.is_remote(command)
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self._unread = self._broken = ""

    def add(self, line: str) -> None:
        self._hear(line[:HEARD_MAX])
        if ffmpeg.is_trouble(line):
            line = reading.without_signature(line)
            self._last.append(line[:LINE_MAX])
            if self._is_remote and reading.is_unreachable(line):
                self._broken = line
                self._unread = self._unread if reading.may_go_on(line) else line

    def check_read(self, status: int, *, strict: bool = False) -> None:
        """Raise StorageUnavailable where a source could not be read to its end.

        A connection that broke may have been taken up again, which a program doesn't tell that
        only shows errors: `strict` takes each for a failure.
        """
        if unread := self._unread or ((status or strict) and self._broken):
            raise StorageUnavailable(detail=unread)

    def detail(self, status: int) -> str:
        return "\n".join(self._last) or f"it ended with {status}"


def stream(command: list[str], limits: Limits) -> Iterator[bytes]:
    """Run ffmpeg and give what it writes to its standard output, and nothing where it is silent.

    Raises EncoderFailed, EncoderTimeout and StorageUnavailable at the end.
    """
    words, rest = _Words(command, lambda _: None), b""
    with started(command, limits) as process:
        try:
            for found in _blocks(process, limits):
                if found is None:
                    yield b""
                elif found[0]:
                    *whole, rest = (rest + found[1]).split(b"\n")
                    for line in whole:
                        words.add(line.decode(errors="replace"))
                else:
                    yield found[1]
        except _Overdue as error:
            raise EncoderTimeout(detail=f"it took over {limits.wall_s:.0f} s") from error
        status = process.wait()
        words.check_read(status)
        if status:
            raise EncoderFailed(detail=words.detail(status))


@contextmanager
def started(command: list[str], limits: Limits) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program that doesn't outlive the block, nor this process, however they end."""
    process = subprocess.Popen(
        sandbox.enclose(reading.over_network(command)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={},  # no credentials near untrusted input
        process_group=0,
        preexec_fn=partial(_settle, os.getpid(), limits),  # noqa: PLW1509  system calls, which threads don't disturb
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            with suppress(ProcessLookupError):  # it ended by itself just now
                os.killpg(process.pid, signal.SIGKILL)  # its children too
        process.communicate()


def _settle(parent: int, limits: Limits) -> None:
    lifeline.die_with(parent, signal.SIGKILL)
    limits.apply()


class _Overdue(Exception):
    """A program runs longer than it may."""


def _lines(process: subprocess.Popen[bytes], limits: Limits) -> Iterator[Line | None]:
    """Give what a program writes line by line, and None once a tick; raises _Overdue.

    Each line is whole up to the most that is taken of its kind.
    """
    lines = {True: bytearray(), False: bytearray()}  # as far as they have come
    for found in _blocks(process, limits):
        if found is None:
            yield None
            continue
        is_word, block = found
        line, most = lines[is_word], WORD_BYTES if is_word else ANSWER_BYTES
        *ended, begun = block.split(b"\n") if block else (b"", b"")  # it ends with its last line
        for part in ended:
            line += part[: most - len(line)]
            if line or block:
                yield Line(line.decode(errors="replace"), is_word)
            line.clear()
        line += begun[: most - len(line)]


def _blocks(process: subprocess.Popen[bytes], limits: Limits) -> Iterator[tuple[bool, bytes] | None]:
    """Give what a program says (True) and answers (False) in blocks, an empty one last.

    Gives None once a tick. Raises _Overdue.
    """
    assert process.stdout is not None and process.stderr is not None  # pipes  # noqa: S101, PT018  narrows the types
    until, tick = time.monotonic() + limits.wall_s, 0.0
    words = process.stderr.fileno()
    with selectors.DefaultSelector() as pipes:
        for pipe in (process.stdout.fileno(), words):
            pipes.register(pipe, selectors.EVENT_READ)
        while pipes.get_map():
            for key, _ in pipes.select(TICK_S):
                block = os.read(key.fd, BLOCK_BYTES)
                if not block:
                    pipes.unregister(key.fd)
                yield key.fd == words, block
            now = time.monotonic()
            if now > until:
                raise _Overdue
            if now - tick >= TICK_S:
                tick = now
                yield None
