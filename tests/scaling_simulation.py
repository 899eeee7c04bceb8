"""Uploads on their way through a fleet that grows and shrinks, played in steps of five seconds.

Costs of pieces, the load and the order of work are the product's own rules.
"""

from __future__ import annotations

import random
from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from itertools import count

from nextstream.adapters.encoder_memory import CLIP
from nextstream.domain import backlog, ladder, plan, scheduling
from nextstream.domain.backlog import Backlog, Running
from nextstream.domain.plan import PROBE, PUBLISH, Piece, Plan
from nextstream.domain.scheduling import Waiting
from tests.scaling_policies import Policies

STEP_S = 5
LONGEST_S = 48 * 3600
TELL_S = 15  # NEXTSTREAM_SCALING_EVERY_S
SLOTS = 4  # a worker of 4 vCPU and 8 GB
START_S = (60.0, 100.0)  # from the wish for a worker to its first piece: placement, image, Python
BILLED_FROM_S = 20.0  # of that: Fargate counts from the image's download on
LEAST_BILLED_S = 60.0
SPEED = 0.8  # what slots really do of what they should; the estimator has to find out
SHORT_S = 3.0  # looking into a source; writing its manifests
BYTES_PER_S = 1_000_000  # of a source
LOST_PER_HOUR = 0.02  # of workers, as with Spot; what they had in work begins anew


@dataclass(eq=False)
class Upload:
    """A video on its way; times are seconds of the day."""

    owner: str
    at_s: float
    length_s: int
    playable_s: float | None = None
    ready_s: float | None = None
    opening: int = 0
    left: int = 0


@dataclass(frozen=True, eq=False)
class Work:
    """A piece that waits or runs."""

    upload: Upload
    piece: Piece
    cost_s: float
    turn: Waiting


@dataclass(eq=False)
class Worker:
    """A worker: paid from its start on, at work from `ready_s` on."""

    billed_s: float
    ready_s: float
    running: dict[Work, tuple[float, float]] = field(default_factory=dict)  # when it began, and ends


@dataclass(frozen=True)
class Moment:
    """How the fleet stood."""

    at_s: float
    waiting_s: float
    desired: int
    workers: int


class Simulation:
    """One fleet, over any number of uploads; `policies` None keeps it at its first size."""

    def __init__(
        self, uploads: Sequence[Upload], workers: int, policies: Policies | None = None, seed: int = 1
    ) -> None:
        self.uploads, self.desired, self._policies = uploads, workers, policies
        self.moments: list[Moment] = []
        self.billed_s = 0.0
        self._dice = random.Random(seed)
        self._to_come = sorted(uploads, key=lambda upload: -upload.at_s)
        self._lines: dict[str, list[tuple[int, int, int, Work]]] = defaultdict(list)
        self._workers: list[Worker] = [Worker(0.0, 0.0) for _ in range(workers)]
        self._places = count()
        self._seen, self._seen_s, self._speed = Backlog(), 0.0, 1.0

    def run(self, least_s: float) -> float:
        """Play until all is done, for so long at the least, and give the end."""
        for step in range(LONGEST_S // STEP_S):
            now_s = float(step * STEP_S)
            self._arrive(now_s)
            self._finish(now_s)
            self._lose(now_s)
            self._assign(now_s)
            self._resize(now_s)
            if step * STEP_S % TELL_S == 0:
                self._tell(now_s)
            if self._policies and now_s % 10 == 0:
                self.desired = self._policies.decide(now_s, self.desired)
            if now_s >= least_s and all(upload.ready_s is not None for upload in self.uploads):
                for worker in list(self._workers):
                    self._stop(worker, now_s)
                return now_s
        raise AssertionError("the fleet never did all of it")

    def _arrive(self, now_s: float) -> None:
        while self._to_come and self._to_come[-1].at_s <= now_s:
            upload = self._to_come.pop()
            upload.left = 1
            self._wait(upload, PROBE, backlog.guess(upload.length_s * BYTES_PER_S)[PROBE.name])

    def _wait(self, upload: Upload, piece: Piece, cost_s: float) -> None:
        turn = Waiting(next(self._places), upload.owner, 0, scheduling.rank(piece))
        self._put(Work(upload, piece, cost_s, turn))

    def _put(self, work: Work) -> None:
        first = (work.turn.rank != scheduling.ENDING, work.turn.rank, work.turn.place)
        insort(self._lines[work.upload.owner], (*first, work))

    def _finish(self, now_s: float) -> None:
        for worker in self._workers:
            for work in [work for work, (_, end_s) in worker.running.items() if end_s <= now_s]:
                del worker.running[work]
                self._finished(work, now_s)

    def _finished(self, work: Work, now_s: float) -> None:
        upload = work.upload
        upload.left -= 1
        if work.piece == PROBE:
            self._plan(upload, now_s)
        elif work.piece == PUBLISH:
            upload.ready_s = now_s
        else:
            if work.turn.rank == scheduling.OPENING:
                upload.opening -= 1
                if not upload.opening:
                    upload.playable_s = now_s
            if not upload.left:
                upload.left = 1
                self._wait(upload, PUBLISH, backlog.OTHER_S)

    def _plan(self, upload: Upload, now_s: float) -> None:
        slots = SLOTS * sum(worker.ready_s <= now_s for worker in self._workers)
        made_, costs = made(upload.length_s, max(1, slots))
        upload.left = len(made_.pieces)
        upload.opening = sum(scheduling.rank(p) == scheduling.OPENING for p in made_.pieces)
        for piece in made_.pieces:
            self._wait(upload, piece, costs[piece.name])

    def _lose(self, now_s: float) -> None:
        for worker in list(self._workers):
            if worker.ready_s <= now_s and self._dice.random() < LOST_PER_HOUR * STEP_S / 3600:
                for work in worker.running:
                    self._put(work)
                self._stop(worker, now_s)

    def _assign(self, now_s: float) -> None:
        ready = [worker for worker in self._workers if worker.ready_s <= now_s]
        free = [worker for worker in ready for _ in range(SLOTS - len(worker.running))]
        if not free or not any(self._lines.values()):
            return
        first = {
            entry[3].turn.place: entry[3] for line in self._lines.values() for entry in line[: len(free)]
        }
        in_flight = Counter(work.upload.owner for worker in ready for work in worker.running)
        chosen = scheduling.choose([work.turn for work in first.values()], in_flight, len(free))
        # Those that have most to do take it: the others may be stopped the sooner.
        free.sort(key=lambda worker: -len(worker.running))
        for choice, worker in zip(chosen, free, strict=False):
            work = first[choice.place]
            self._lines[work.upload.owner].remove(next(self._entry(work)))
            takes_s = SHORT_S if work.piece in (PROBE, PUBLISH) else work.cost_s / SPEED
            worker.running[work] = (now_s, now_s + takes_s)

    def _entry(self, work: Work) -> Iterator[tuple[int, int, int, Work]]:
        return (entry for entry in self._lines[work.upload.owner] if entry[3] is work)

    def _resize(self, now_s: float) -> None:
        """Do what ECS does: start what is missing, stop what is too much and not protected."""
        while len(self._workers) < self.desired:
            ready_s = now_s + self._dice.uniform(*START_S)
            self._workers.append(Worker(now_s + BILLED_FROM_S, ready_s))
        idle = sorted((w for w in self._workers if not w.running), key=lambda w: -w.ready_s)
        for worker in idle[: max(0, len(self._workers) - self.desired)]:
            self._stop(worker, now_s)

    def _stop(self, worker: Worker, now_s: float) -> None:
        if now_s > worker.billed_s:
            self.billed_s += max(LEAST_BILLED_S, now_s - worker.billed_s)
        self._workers.remove(worker)

    def _tell(self, now_s: float) -> None:
        waiting = [entry[3] for line in self._lines.values() for entry in line]
        running = {
            str(id(work)): Running(work.cost_s, min(1.0, (now_s - began_s) / (end_s - began_s)))
            for worker in self._workers
            for work, (began_s, end_s) in worker.running.items()
            if work.piece not in (PROBE, PUBLISH)
        }
        found = Backlog(len(waiting), sum(backlog.counted(w.cost_s) for w in waiting), running)
        measured = backlog.measure(self._seen, found, now_s - self._seen_s)
        self._speed = backlog.smooth(self._speed, measured)
        self._seen, self._seen_s = found, now_s
        load = backlog.reckon(found, self._speed, self.desired, SLOTS)
        self.moments.append(Moment(now_s, load.waiting_s, self.desired, len(self._workers)))
        if self._policies:
            metrics = {"BacklogPerWorker": load.per_worker_s, "Backlog": load.waiting_s}
            self._policies.tell(
                now_s, {**metrics, "OpenPieces": load.open_pieces, "Workers": load.workers}
            )


@cache
def made(length_s: int, slots: int) -> tuple[Plan, dict[str, float]]:
    """Plan a 1080p video of this length as the probe does, and say what its pieces cost."""
    assert CLIP.video
    length = Fraction(length_s)
    video = replace(CLIP.video, width=1920, height=1080, end_s=length, rate=Fraction(25))
    source = replace(CLIP, duration_s=length, video=video)
    rungs = ladder.choose(video, (1080, 720, 480, 360, 240), Fraction(25), 23, 2)
    made_ = plan.make(source, rungs, ladder.voices(source.audio), "veryfast", 24, slots)
    return made_, dict(backlog.costs(made_))
