"""How far an encode is: frames that are done, of each rung and of all, and how fast it goes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from nextstream.domain.plan import Kind, Piece, Plan
from nextstream.domain.video import State, Video
from nextstream.ports import Database, Platform, Standing

RECENT = timedelta(seconds=20)  # a chunk or two: short enough to follow a fleet that grows
STEADY = timedelta(seconds=3)  # less than this says little
KEPT = 1000  # videos


@dataclass(frozen=True)
class RungProgress:
    """How far one rung is, in frames."""

    name: str
    height: int
    frames_done: int
    frames_planned: int


@dataclass(frozen=True)
class Progress:
    """How far an encode is, in frames of all rungs together; `fps` and `eta_s` while it runs."""

    frames_done: int
    frames_planned: int
    percent: int
    fps: float | None
    eta_s: float | None
    rungs: tuple[RungProgress, ...]


_Sample = tuple[datetime, int]  # when, and the frames that were done
_samples: WeakKeyDictionary[Database, dict[tuple[str, int], deque[_Sample]]] = WeakKeyDictionary()


def measure(platform: Platform, video: Video) -> Progress | None:
    """Count the frames that are done and planned; None before there is a plan, and after the end.

    The speed is that of the last seconds where this process has looked before, else since the
    encode began; of one that was retried in its middle it is None until then.
    """
    return measure_all(platform, [video]).get(video.id)


def measure_all(platform: Platform, videos: Iterable[Video]) -> Mapping[str, Progress]:
    """Measure many videos by one query, by their ids; one that `measure` gives None for is missing."""
    # Before it encodes, its plan is that of the encode before.
    planned = [(v, v.plan) for v in videos if v.plan and v.state is State.ENCODING]
    if not planned:
        return {}
    with platform.database.reading() as tx:
        found = tx.pieces.survey_all([(video.id, video.version) for video, _ in planned])
    return {v.id: _measure(platform, v, plan, found.get((v.id, v.version), {})) for v, plan in planned}


def _measure(platform: Platform, video: Video, plan: Plan, standing: Mapping[str, Standing]) -> Progress:
    rungs = tuple(
        RungProgress(rung.name, min(rung.width, rung.height), *_count(plan, standing, rung.name))
        for rung in plan.rungs
    )
    if rungs:
        done, planned = sum(r.frames_done for r in rungs), sum(r.frames_planned for r in rungs)
    else:
        done, planned = _count_sound(plan, standing)
    fps = _speed(platform, video, done)
    return Progress(
        frames_done=done,
        frames_planned=planned,
        percent=100 * done // max(planned, 1),
        fps=round(fps, 1) if fps else None,
        eta_s=round((planned - done) / fps, 1) if fps else None,
        rungs=rungs,
    )


def _count(plan: Plan, standing: Mapping[str, Standing], rung: str) -> tuple[int, int]:
    """Give a rung's frames, done and planned."""
    mine = [piece for piece in plan.pieces if rung in piece.rungs]
    return sum(_frames(piece, standing) for piece in mine), plan.frames


def _count_sound(plan: Plan, standing: Mapping[str, Standing]) -> tuple[int, int]:
    """Give the frames of the grid that audio has passed, where there is no picture."""
    tracks = [piece for piece in plan.pieces if piece.kind is Kind.AUDIO]
    return sum(_frames(piece, standing) for piece in tracks), plan.frames * len(tracks)


def _frames(piece: Piece, standing: Mapping[str, Standing]) -> int:
    found = standing.get(piece.name, Standing("waiting", 0))
    return piece.frames if found.state == "done" else min(found.frames_done, piece.frames)


def _speed(platform: Platform, video: Video, done: int) -> float | None:
    """Give the frames of all rungs a second, while encoding goes on."""
    began = video.state_times.get(State.ENCODING)
    if began is None:
        return None
    now = platform.clock.now()
    samples = _recall(platform.database, video)
    samples.append((now, done))
    while now - samples[0][0] > RECENT:
        samples.popleft()
    is_known = now - samples[0][0] >= STEADY
    if not is_known and _goes_on(video):
        return None  # how much of it was done before isn't known
    since, before = samples[0] if is_known else (began, 0)
    elapsed_s = (now - since).total_seconds()
    # Work that a lost worker had done is taken back, and done again.
    return max(0, done - before) / elapsed_s if elapsed_s > 0 else None


def _goes_on(video: Video) -> bool:
    """Tell an encode that failed in its middle and was retried from there."""
    failed, probed = (video.state_times.get(state) for state in (State.FAILED, State.PROBING))
    return bool(failed and probed and failed > probed)


def _recall(database: Database, video: Video) -> deque[_Sample]:
    """Give what this process saw of an encode before."""
    seen = _samples.setdefault(database, {})
    if len(seen) > KEPT:
        seen.clear()
    return seen.setdefault((video.id, video.version), deque(maxlen=1000))
