"""A fleet of Celery's processes, each started again when it dies, as an orchestrator does."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from nextstream import programs
from nextstream.settings import Settings
from nextstream.supervisor import Program
from tests import servers

AGAIN_S = 1.0  # between a death and the next start


@dataclass
class Member:
    """A program's place in the fleet; `process` is None between a death and the next start."""

    program: Program
    slots: int
    process: subprocess.Popen[bytes] | None = None
    starts_at: float = 0.0

    @property
    def name(self) -> str:
        return self.program.name


@dataclass
class Fleet:
    """Media workers of some slots each, an upkeep worker and a beat, over one set of settings.

    `tend` starts what has to be started; call it often, and from the thread that ends last, for
    the kernel kills the programs when that thread ends.
    """

    env: Mapping[str, str]
    folder: Path
    members: list[Member] = field(default_factory=list)

    @property
    def media(self) -> list[Member]:
        return [member for member in self.members if member.slots]

    def add(self, program: Program, slots: int = 0) -> None:
        self.members.append(Member(program, slots))
        self.tend()

    def tend(self) -> None:
        """Start what has never run, or died a while ago."""
        for member in self.members:
            if member.process is not None and member.process.poll() is not None:
                self._bury(member)
            if member.process is None and time.monotonic() >= member.starts_at:
                with (self.folder / f"{member.name}.log").open("ab") as log:
                    env = {**self.env, **member.program.env}
                    member.process = servers.start(member.program.command, log.fileno(), env=env)

    def kill(self, member: Member, how: str) -> bool:
        """Kill all of a worker as a lost machine does, its `main` process alone, or its first `child`.

        Tells whether there was something to kill.
        """
        if member.process is None or member.process.poll() is not None:
            return False
        if how == "all":
            servers.end(member.process, signal.SIGKILL)
            self._bury(member)
        elif how == "main":
            member.process.kill()
        else:
            children = _children(member.process.pid)
            if not children:
                return False
            children[0].kill()
        return True

    def stop(self) -> None:
        """Ask all to stop, and wait until they have."""
        running = [member for member in self.members if member.process]
        for member in running:
            assert member.process
            member.process.terminate()
        for member in running:
            assert member.process
            with suppress(subprocess.TimeoutExpired):
                member.process.wait(60)
        self.members.clear()

    def cpu_s(self) -> float:
        """Give the CPU seconds of all that runs, and of what ended below it."""
        return sum(cpu_s(member.process.pid) for member in self.members if member.process)

    def _bury(self, member: Member) -> None:
        member.process, member.starts_at = None, time.monotonic() + AGAIN_S


@contextmanager
def running(
    env: Mapping[str, str], folder: Path, workers: int, slots: int = 1, beat: bool = True
) -> Iterator[Fleet]:
    """Run a fleet until the block ends; it may not be ready when the block begins."""
    fleet = Fleet(env, folder)
    settings = Settings.read(env)
    try:
        for number in range(1, workers + 1):
            worker = programs.media_worker(settings, {})
            name = f"media{number}"
            options = ["-n", f"{name}@%h", "-c", str(slots)]
            fleet.add(Program(name, [*worker.command, *options], worker.env), slots)
        if beat:
            fleet.add(programs.upkeep_worker({}))
            fleet.add(programs.beat({}))
        yield fleet
    finally:
        for member in fleet.members:
            if member.process:
                servers.end(member.process, signal.SIGKILL)


def cpu_s(pid: int) -> float:
    """Give the CPU seconds of a process and all below it, those that ended included."""
    total = 0.0
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in [parent, *parent.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                t = process.cpu_times()
                total += t.user + t.system + t.children_user + t.children_system
    return total


def _children(pid: int) -> list[psutil.Process]:
    """Give a worker's own children: the processes that run tasks, and not what these started."""
    try:
        return psutil.Process(pid).children()
    except psutil.NoSuchProcess:
        return []
