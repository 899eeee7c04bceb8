"""Runs programs side by side: one readable log, each started again when it dies, none left behind.

Everything happens in one thread, so that children are forked from a process without others, and
the kernel's parent-death signal, which follows the forking thread, means this process.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from nextstream import lifeline

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # Ctrl-C, kill, a closed terminal
READ_BYTES = 65536
LONGEST_PAUSE_S = 30.0
SETTLED_S = 60.0  # a program that ran this long gets a fresh start at its pauses

Log = Callable[[str, str], None]


@dataclass(frozen=True)
class Program:
    """A program to keep running; it has `grace_s` seconds between SIGTERM and SIGKILL.

    `orphan_signal` is what the kernel sends it when this process dies without a word.
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    grace_s: float = 10.0
    orphan_signal: signal.Signals = signal.SIGKILL


@dataclass
class _Child:
    """A program as it runs, or waits for its next start."""

    program: Program
    process: subprocess.Popen[bytes]
    started_at: float
    deaths: int = 0
    restart_at: float | None = None
    rest: bytes = b""


class Supervisor:
    """Keeps programs running until it is asked to stop by a signal; `log` takes name and line."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._children: dict[str, _Child] = {}
        self._selector = selectors.DefaultSelector()
        self._signals = 0

    @property
    def stopping(self) -> bool:
        """Tell whether a signal to stop has come."""
        return self._signals > 0

    @property
    def deaths(self) -> int:
        """Count how often the programs have died, for a start that doesn't succeed."""
        return max((child.deaths for child in self._children.values()), default=0)

    def watch_signals(self) -> None:
        """Take these signals as the wish to stop, and a second one as the wish to stop now."""
        for number in STOP_SIGNALS:
            signal.signal(number, self._note_signal)

    def start(self, program: Program) -> None:
        """Start a program and keep it running."""
        child = _Child(program, _spawn(program), time.monotonic())
        self._children[program.name] = child
        self._listen(child)

    def turn(self, timeout_s: float) -> None:
        """Pass log lines on for at most so long, and start again what died."""
        for key, _ in self._selector.select(timeout_s):
            self._read(key.data)
        for child in self._children.values():
            if not self.stopping:
                self._revive(child)

    def stop(self, names: Iterable[str]) -> None:
        """Stop programs at once, side by side, by force where their grace is over; may run twice."""
        leaving = [self._children.pop(name) for name in names if name in self._children]
        for child in leaving:
            with suppress(ProcessLookupError):
                child.process.terminate()
        asked_at, asked = time.monotonic(), self._signals
        while any(child.process.poll() is None for child in leaving):
            for key, _ in self._selector.select(0.05):
                self._read(key.data)
            waited_s = time.monotonic() - asked_at
            for child in leaving:
                if waited_s > child.program.grace_s or self._signals > max(asked, 1):
                    child.process.kill()
        for child in leaving:
            self._bury(child)

    def stop_all(self) -> None:
        """Stop everything; what was started first, since the others lean on it, last."""
        names = list(self._children)
        self.stop(names[1:])
        self.stop(names)

    def _note_signal(self, _number: int, _frame: object) -> None:
        self._signals += 1

    def _listen(self, child: _Child) -> None:
        assert child.process.stdout is not None  # noqa: S101  it is a pipe
        os.set_blocking(child.process.stdout.fileno(), False)
        self._selector.register(child.process.stdout, selectors.EVENT_READ, child)

    def _read(self, child: _Child) -> bool:
        """Pass on whole lines, keep the start of the next one, and tell whether there was anything."""
        assert child.process.stdout is not None  # noqa: S101  it is a pipe
        if child.process.stdout.fileno() not in self._selector.get_map():
            return False
        try:
            data = os.read(child.process.stdout.fileno(), READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._selector.unregister(child.process.stdout)
        *lines, child.rest = (child.rest + data).split(b"\n")
        for line in lines:
            self._log(child.program.name, line.decode(errors="replace"))
        return bool(data)

    def _revive(self, child: _Child) -> None:
        """Note that a child died, and start it again after a pause that doubles each time."""
        now = time.monotonic()
        if child.restart_at is None and child.process.poll() is not None:
            child.deaths = 1 if now - child.started_at > SETTLED_S else child.deaths + 1
            pause_s = min(LONGEST_PAUSE_S, 2.0 ** (child.deaths - 1))
            child.restart_at = now + pause_s
            self._bury(child)
            self._log(child.program.name, f"{_end_of(child.process)}; starts again in {pause_s:.0f} s")
        elif child.restart_at is not None and now >= child.restart_at:
            child.process, child.started_at, child.restart_at = _spawn(child.program), now, None
            self._listen(child)

    def _bury(self, child: _Child) -> None:
        """Read a dead child's last lines and end what it left in its session; may run twice."""
        assert child.process.stdout is not None  # noqa: S101  it is a pipe
        if child.process.stdout.closed:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.process.pid, signal.SIGKILL)
        child.process.wait()
        while self._read(child):
            pass
        if child.rest:
            self._log(child.program.name, child.rest.decode(errors="replace"))
            child.rest = b""
        with suppress(KeyError):  # where all of it was read
            self._selector.unregister(child.process.stdout)
        child.process.stdout.close()


def _end_of(process: subprocess.Popen[bytes]) -> str:
    code = process.returncode
    return f"ended with code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"


def _spawn(program: Program) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, so that Ctrl-C reaches it by way of us alone."""
    return subprocess.Popen(
        program.command,
        env={**os.environ, **program.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=partial(lifeline.die_with, os.getpid(), program.orphan_signal),  # noqa: PLW1509  this process has one thread
    )
