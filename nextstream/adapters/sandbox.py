"""Shuts ffmpeg in: what it may see of this machine, and how much of it it may use up.

With bubblewrap it sees its own program, the source it reads and the folder it writes, and no
network but for a source that is a URL. Without, the limits and the empty environment remain.
"""

from __future__ import annotations

import itertools
import math
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nextstream.domain import reading

GIB = 1024**3
TRIAL_TIMEOUT_S = 20
AGAIN_S = 60

# What a program linked against the system's libraries needs, where the system has it.
_SYSTEM = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache")
# What a name in a URL and its certificate need.
_NETWORK = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl", "/run/systemd/resolve")


@dataclass(frozen=True)
class Limits:
    """What one run may use; a run that goes over is killed.

    `file_bytes` bounds each file it writes, `stall_s` the time without progress. The memory is
    address space, of which threads reserve far more than they use. `nice` is how far it steps back
    for others, as nice(1) counts.
    """

    wall_s: float = 3600
    stall_s: float = 600
    cpu_s: int = 24 * 3600
    file_bytes: int = 16 * GIB
    memory_bytes: int = 16 * GIB
    files: int = 256
    nice: int = 0

    def apply(self) -> None:
        """Bind this process to the limits; call it between fork and exec."""
        os.nice(self.nice)
        for kind, most in (
            (resource.RLIMIT_CPU, self.cpu_s),
            (resource.RLIMIT_FSIZE, self.file_bytes),
            (resource.RLIMIT_AS, self.memory_bytes),
            (resource.RLIMIT_NOFILE, self.files),
            (resource.RLIMIT_CORE, 0),  # a dump would hold the source, and fill the disk
        ):
            _, hard = resource.getrlimit(kind)
            least = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (least, least))


def enclose(command: Sequence[str]) -> list[str]:
    """Give the command inside bubblewrap, or as it is where bubblewrap doesn't work.

    Every path in our commands begins with `file:`: what follows `-i` is read, the rest is written.
    """
    if obstacle(command[0]):
        return list(command)
    reads, writes = _paths(command)
    network = reading.is_remote(command)
    return [*_walls(command[0], network=network), *_binds(reads, writes), "--", *command]


def _walls(program: str, *, network: bool) -> list[str]:
    return [
        _binary(),
        "--unshare-all",
        *(("--share-net",) if network else ()),  # a source in S3 is read by range
        "--die-with-parent",
        # No terminal to push input into (CVE-2017-5226). A worker has none, and stays one session:
        # Linux shares processors out by session first, and `nice` counts only within one (sched(7)).
        *(("--new-session",) if _has_terminal() else ()),
        *("--cap-drop", "ALL"),
        *("--dev", "/dev"),
        *("--tmpfs", "/tmp"),  # noqa: S108  the sandbox's own, and empty  # nosec B108
        *_shown((*_SYSTEM, *(_NETWORK if network else ()))),
        *("--ro-bind", program, program),
    ]


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _shown(paths: Sequence[str]) -> list[str]:
    return [word for path in paths for word in ("--ro-bind-try", path, path)]


def _binds(reads: Sequence[str], writes: Sequence[str]) -> list[str]:
    seen = [word for path in reads for word in ("--ro-bind", path, path)]
    return seen + [word for path in writes for word in ("--bind", path, path)]


def _paths(command: Sequence[str]) -> tuple[list[str], list[str]]:
    """Give the files a command reads and the folders it writes, as absolute paths."""
    reads: list[str] = []
    writes: list[str] = []
    for before, word in itertools.pairwise(command):
        if not word.startswith("file:"):
            continue
        path = Path(word.removeprefix("file:")).absolute()
        if before == "-i":
            reads.append(str(path))
        else:
            writes.append(str(path.parent))
    return reads, list(dict.fromkeys(writes))


def _binary() -> str:
    return shutil.which("bwrap") or "bwrap"


def obstacle(program: str) -> str | None:
    """Give why a program can't run inside bubblewrap here, or None where it can.

    What works is known for good. What doesn't is tried again after a while, since a machine may have
    been too busy for the trial, and a process lives for long.
    """
    reason, tried_at = _trials.get(program, ("", -math.inf))
    if reason is not None and time.monotonic() - tried_at >= AGAIN_S:
        reason = _try(program)
        _trials[program] = reason, time.monotonic()
    return reason


_trials: dict[str, tuple[str | None, float]] = {}  # what came of a program's last trial, and when it was


def _try(program: str) -> str | None:
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed"
    trial = [*_walls(program, network=False), "--", program, "-version"]
    try:
        done = subprocess.run(
            trial, capture_output=True, text=True, timeout=TRIAL_TIMEOUT_S, check=False, env={}
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stderr.strip().splitlines() or ["it failed"])[-1] if done.returncode else None
