"""Ties a child process to its parent, so that nothing is left behind however the parent ends."""

from __future__ import annotations

import ctypes
import os
import signal

_libc = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def die_with(parent: int, number: signal.Signals) -> None:
    """Ask the kernel for this signal when the thread that forked us ends; call it in the child.

    It is one system call, so it is safe between fork and exec of a process without other threads.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:  # it ended before the line above
        os._exit(1)
