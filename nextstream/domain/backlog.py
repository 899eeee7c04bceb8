"""How much encode work waits, in seconds, which is what a fleet is scaled by: pure rules.

A piece's cost is the seconds one slot should take for it, by the pixels it encodes. How fast slots
really are is measured while they work, and all costs are divided by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nextstream.domain.plan import PROBE, Kind, Piece, Plan, Rung

# A core with x264's veryfast, all rungs and the decode of the source together. It is where the
# measure begins, and what counts while nothing runs: a wrong one is corrected within minutes.
PIXELS_PER_S = 60e6
CODEC_FACTORS = {"h264": 1.0, "hevc": 3.0, "av1": 3.0}  # how much longer a pixel takes
SOUND_PER_S = 60.0  # seconds of a track that are encoded in one
SOURCE_BYTES_PER_S = 400_000.0  # of a source that isn't probed: 8 Mb/s, at 2.5 s of work a second
OTHER_S = 2.0  # looking into a source, its subtitles, its manifests
# A piece counts for no more, since a second worker can't help with it: a film that can't be cut into
# chunks is hours of work, but for one slot.
LONGEST_S = 120.0
SMOOTHING = 0.3  # of a new measure in what counts
SLOWEST, FASTEST = 0.05, 20.0  # a measure beyond is a fault, of a clock or a row


@dataclass(frozen=True)
class Running:
    """A piece in work: its whole cost, and the share of it that is done."""

    cost_s: float
    done: float


@dataclass(frozen=True)
class Backlog:
    """What isn't done, as the rows say: `pieces` wait, at `cost_s`; what runs is named by its claim."""

    pieces: int = 0
    cost_s: float = 0.0
    running: Mapping[str, Running] = field(default_factory=dict)


@dataclass(frozen=True)
class Load:
    """What a fleet is scaled by.

    `waiting_s` are the seconds one worker would take for what waits; `open_pieces` counts what
    waits or runs. `workers` are those the fleet is to have, those on their way included.
    """

    waiting_s: float
    open_pieces: int
    workers: int

    @property
    def per_worker_s(self) -> float:
        """Give the seconds until nothing waits; with no workers, how long one would take."""
        return self.waiting_s / max(1, self.workers)


def costs(plan: Plan) -> Mapping[str, float]:
    """Give what each piece of a plan costs, in seconds of a slot, by its name."""
    rungs = {rung.name: rung for rung in plan.rungs}
    return {piece.name: _cost(plan, piece, rungs) for piece in plan.pieces}


def guess(size_bytes: int | None) -> Mapping[str, float]:
    """Give what looking into a source stands for until its plan is made: all of its encode."""
    return {PROBE.name: OTHER_S + (size_bytes or 0) / SOURCE_BYTES_PER_S}


def _cost(plan: Plan, piece: Piece, rungs: Mapping[str, Rung]) -> float:
    if piece.kind is Kind.VIDEO:
        return piece.frames * sum(_weigh(rungs[name]) for name in piece.rungs) / PIXELS_PER_S
    if piece.kind is Kind.AUDIO:
        return float(plan.duration_s) / SOUND_PER_S
    return OTHER_S


def _weigh(rung: Rung) -> float:
    return rung.width * rung.height * CODEC_FACTORS.get(rung.codec, 1.0)


def counted(cost_s: float) -> float:
    """Give what a piece counts for among what waits."""
    return min(cost_s, LONGEST_S)


def measure(before: Backlog, now: Backlog, elapsed_s: float) -> float | None:
    """Give how many seconds of cost a slot did in one, by the claims that ran all the time between.

    None where none did, or none got on.
    """
    both = before.running.keys() & now.running.keys()
    if not both or elapsed_s <= 0:
        return None
    done_s = sum(now.running[k].cost_s * (now.running[k].done - before.running[k].done) for k in both)
    speed = done_s / (len(both) * elapsed_s)
    return speed if SLOWEST <= speed <= FASTEST else None


def smooth(speed: float, measured: float | None) -> float:
    """Give the speed that counts after a new measure, if there is one."""
    return speed if measured is None else (1 - SMOOTHING) * speed + SMOOTHING * measured


def reckon(backlog: Backlog, speed: float, workers: int, slots_each: float) -> Load:
    """Give the load of a fleet whose workers have so many slots each, of that speed."""
    waiting_s = backlog.cost_s / (speed * max(1.0, slots_each))
    return Load(waiting_s, backlog.pieces + len(backlog.running), workers)
