"""Which piece of work comes next: pure rules, so that fairness can be read and tested.

The order is: what ends a video, then by priority, then the owner who has the fewest pieces in
flight, then what a viewer waits for, then age.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from nextstream.domain.plan import Kind, Piece
from nextstream.domain.video import Priority

ENDING, OPENING, REST = 0, 1, 2  # the ranks of pieces
CLASSES = tuple(Priority)
UNFINISHED = ("held", "waiting", "sent", "running")  # the states of pieces that aren't done or failed

LEAST_WINDOW = 4  # pieces in flight where the fleet's size isn't known yet
REFILL_SHARE = 4  # the window is filled up when a quarter of what may wait in the queue is gone
LOSSES_PER_ATTEMPT = 3  # a worker that vanishes is rarely its piece's fault


class Blame(StrEnum):
    """Whose fault it is that a claim ended without a result."""

    PIECE = "piece"  # it was tried and failed, on this worker at least
    WORKER = "worker"  # which vanished
    NOBODY = "nobody"  # storage was away, the worker is stopped: not an attempt


@dataclass(frozen=True)
class Waiting:
    """A piece of work that could start now; `place` is its row's, and grows with time."""

    place: int
    owner_id: str
    priority: int
    rank: int


@dataclass(frozen=True)
class Choice:
    """A piece that is sent next; `urgency` sorts the messages of the queue, smaller first."""

    place: int
    urgency: int


def rank(piece: Piece) -> int:
    """Give a piece's rank: without the opening chunk and the sound nothing can be watched."""
    if piece.kind is Kind.PUBLISH:
        return ENDING
    is_rest = piece.kind is Kind.TEXT or (piece.kind is Kind.VIDEO and piece.first_frame > 0)
    return REST if is_rest else OPENING


def order(priority: Priority) -> int:
    """Give a priority's place among all: smaller comes first."""
    return CLASSES.index(priority)


def window(slots: int) -> int:
    """Give how many pieces may be in flight: one running and one in the queue for each slot.

    What waits in the database can still be overtaken, what waits in the queue can't.
    """
    return max(LEAST_WINDOW, 2 * slots)


def room(slots: int, in_flight: int, *, eager: bool) -> int:
    """Give how many pieces to send now; where not `eager`, none while the queue is nearly full."""
    free = window(slots) - in_flight
    least = 1 if eager else max(1, slots // REFILL_SHARE)
    return free if free >= least else 0


def choose(waiting: Sequence[Waiting], in_flight: Mapping[str, int], count: int) -> list[Choice]:
    """Choose the next pieces; `in_flight` counts the pieces each owner has sent or running."""
    load = defaultdict(int, in_flight)
    lines: dict[str, list[Waiting]] = {}
    for piece in sorted(waiting, key=_within_owner):
        lines.setdefault(piece.owner_id, []).append(piece)
    chosen: list[Choice] = []
    while lines and len(chosen) < count:
        owner_id = min(lines, key=lambda owner: _turn(lines[owner][0], load))
        piece = lines[owner_id].pop(0)
        chosen.append(Choice(piece.place, _urgency(piece, load)))
        load[owner_id] += 1
        if not lines[owner_id]:
            del lines[owner_id]
    return chosen


def _within_owner(piece: Waiting) -> tuple[bool, int, int, int]:
    return piece.rank != ENDING, piece.priority, piece.rank, piece.place


def _turn(piece: Waiting, load: Mapping[str, int]) -> tuple[bool, int, int, int, int]:
    return piece.rank != ENDING, piece.priority, load[piece.owner_id], piece.rank, piece.place


def _urgency(piece: Waiting, load: Mapping[str, int]) -> int:
    """Let an opening piece overtake the queue, but not again and again at other owners' cost."""
    if piece.rank == ENDING:
        return 0
    others = any(count for owner_id, count in load.items() if owner_id != piece.owner_id)
    overtakes = piece.rank == OPENING and not (load[piece.owner_id] and others)
    return 1 + 2 * piece.priority + (not overtakes)


URGENCIES = range(1 + 2 * len(CLASSES))


def has_failed(failures: int, losses: int, attempts: int) -> bool:
    """Tell whether a piece was tried often enough."""
    return failures >= attempts or losses >= LOSSES_PER_ATTEMPT * attempts
