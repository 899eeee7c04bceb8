"""What an upload in parts is, and which sizes and quotas hold for it."""

from __future__ import annotations

from enum import StrEnum

MIB = 1024**2
PART_BYTES = 8 * MIB  # S3 wants 5 MiB at least; bytes that a killed server had not noted are sent again
PARTS = 2000  # S3 takes 10,000; a row with as many names is still small


class Stage(StrEnum):
    """Where an upload stands."""

    OPEN = "open"  # takes bytes
    COMPLETING = "completing"  # has them all, and is being put together, by anyone who looks
    KEPT = "kept"  # a whole partial upload, until it is joined with others
    DONE = "done"  # its video has them
    GONE = "gone"  # ended, expired or refused
    DROPPED = "dropped"  # its video was removed or cancelled; what came of it is still to go


ENDED = frozenset({Stage.DONE, Stage.GONE})
UNWANTED = ENDED | {Stage.DROPPED}  # they count for no quota
WAITING = frozenset({Stage.OPEN, Stage.KEPT})  # for their client, who may never come back


def part_bytes(length: int) -> int:
    """Give the size of an upload's parts, in whole MiB, for a file of at most `length` bytes."""
    return max(PART_BYTES, -(-length // PARTS // MIB) * MIB if length else 0)
