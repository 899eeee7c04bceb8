"""How long a worker's processes may go on: its main process tells its children by shared memory."""

from __future__ import annotations

import mmap
import struct
import time

_END = struct.Struct("d")
# Mapped before the children are forked, so all look at the same bytes; 0 is "not yet".
_shared = mmap.mmap(-1, _END.size)


def end_in(seconds: float) -> None:
    """Let the shift of this process and its children end; once begun, an end stays as it is."""
    if not _end():
        _END.pack_into(_shared, 0, time.monotonic() + seconds)  # one clock for all processes (Linux)


class WorkerShift:
    """The shift of a worker's process."""

    def left_s(self) -> float | None:
        """Give the seconds until the worker has to stop; None while it needn't."""
        end = _end()
        return end - time.monotonic() if end else None


def _end() -> float:
    end: float = _END.unpack_from(_shared)[0]
    return end
