"""How far an encode is, by the rows of its pieces."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from nextstream import wiring
from nextstream.adapters.clock import HandClock
from nextstream.adapters.encoder_memory import CLIP, MemoryEncoder
from nextstream.domain import lifecycle
from nextstream.domain.accounts import Account, Role
from nextstream.domain.plan import Kind
from nextstream.domain.video import Options, State, Video
from nextstream.ports import Platform
from nextstream.services import encodes, library, transcoding, uploads
from nextstream.services.progress import measure

ADA = Account("ada", "ada", "", Role.UPLOADER, HandClock().now())


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def platform(clock: HandClock) -> Platform:
    return wiring.in_memory(clock=clock)


def upload(platform: Platform) -> Video:
    return uploads.receive(platform, ADA, "clip.mp4", None, [b"film"], None)


def planned(platform: Platform) -> Video:
    """Give a video whose encode is planned."""
    video = upload(platform)
    transcoding.probe(platform, video.id, 1, "worker")
    return library.get(platform, ADA, video.id)


def test_there_is_no_progress_before_the_plan(platform: Platform) -> None:
    assert measure(platform, upload(platform)) is None


def test_an_encode_anew_is_not_measured_by_the_plan_before_it(platform: Platform) -> None:
    video = upload(platform)
    assert transcoding.run(platform, video.id, 1, slots=1).state is State.READY
    begun = encodes.reencode(platform, ADA, video.id, Options(heights=(240,)))
    assert measure(platform, begun) is None
    transcoding.probe(platform, video.id, 2, "worker")
    again = measure(platform, library.get(platform, ADA, video.id))
    assert again is not None
    assert {rung.height for rung in again.rungs} == {240}


def test_progress_counts_frames_of_every_rung(platform: Platform, clock: HandClock) -> None:
    video = planned(platform)
    assert video.plan is not None
    rungs, frames = video.plan.rungs, video.plan.frames
    start = measure(platform, video)
    assert start is not None
    assert (start.frames_done, start.frames_planned) == (0, frames * len(rungs))
    assert (start.percent, start.fps, start.eta_s) == (0, None, None)
    assert [rung.height for rung in start.rungs] == [min(r.width, r.height) for r in rungs]

    clock.advance(10)
    first = next(piece for piece in video.plan.pieces if piece.kind is Kind.VIDEO)
    until = clock.now() + timedelta(60)
    with platform.database.transaction() as tx:
        task = tx.pieces.claim(video.id, 1, first.name, "worker", until)
        assert task is not None
        tx.pieces.beat(task, 30, until)
    soon = measure(platform, video)
    assert soon is not None
    assert [rung.frames_done for rung in soon.rungs] == [30] * len(rungs)
    assert soon.frames_done == 30 * len(rungs)
    assert soon.fps == pytest.approx(3 * len(rungs), abs=0.1)
    assert soon.eta_s == pytest.approx((frames - 30) / 3, abs=1)

    with platform.database.transaction() as tx:
        tx.pieces.finish(task, ())
    later = measure(platform, video)
    assert later is not None
    assert {rung.frames_done for rung in later.rungs} == {first.frames}
    assert later.percent == 100 * first.frames // frames


def test_progress_of_sound_alone_counts_the_grid_it_has_passed(clock: HandClock) -> None:
    encoder = MemoryEncoder(replace(CLIP, video=None))
    platform = wiring.in_memory(clock=clock, encoder=encoder)
    video = planned(platform)
    early = measure(platform, video)
    assert early is not None
    assert (early.rungs, early.frames_done) == ((), 0)
    assert early.frames_planned > 0
    [audio] = [name for name in work(platform, video) if name.startswith("audio")]
    transcoding.encode(platform, video.id, 1, audio, "worker")
    heard = measure(platform, video)
    assert heard is not None
    assert (heard.percent, heard.frames_done) == (100, early.frames_planned)


def work(platform: Platform, video: Video) -> list[str]:
    with platform.database.transaction() as tx:
        return [task.piece.name for task in tx.pieces.list(video.id, 1)]


def test_a_finished_encode_has_no_progress_left_to_tell(platform: Platform) -> None:
    video = transcoding.run(platform, upload(platform).id, 1, slots=1)
    assert video.state is State.READY
    assert measure(platform, video) is None


def test_the_speed_is_that_of_the_last_seconds_once_there_are_some(
    platform: Platform, clock: HandClock
) -> None:
    video = planned(platform)
    assert video.plan is not None
    first = next(piece for piece in video.plan.pieces if piece.kind is Kind.VIDEO)
    until = clock.now() + timedelta(hours=1)
    with platform.database.transaction() as tx:
        task = tx.pieces.claim(video.id, 1, first.name, "worker", until)
    assert task is not None

    def speed_after(seconds: float, frames: int) -> float | None:
        clock.advance(seconds)
        with platform.database.transaction() as tx:
            tx.pieces.beat(task, frames, until)
        found = measure(platform, video)
        assert found is not None
        return found.fps

    rungs = len(video.plan.rungs)
    assert speed_after(100, 20) == pytest.approx(0.2 * rungs)  # since the encode began
    assert speed_after(10, 70) == pytest.approx(5 * rungs)  # since the look before
    assert speed_after(15, 100) == pytest.approx(2 * rungs)
    assert speed_after(5, 0) is None  # a lost worker's frames are taken back


def test_what_was_done_before_a_retry_is_no_speed_of_now(platform: Platform, clock: HandClock) -> None:
    video = planned(platform)
    assert video.plan is not None
    first, broken, *_ = (piece for piece in video.plan.pieces if piece.kind is Kind.VIDEO)
    until = clock.now() + timedelta(hours=1)
    clock.advance(100)
    transcoding.encode(platform, video.id, 1, first.name, "worker")
    for state in (State.FAILED, State.ENCODING):
        with platform.database.transaction() as tx:
            tx.videos.save(lifecycle.move(tx.videos.get(video.id), state, clock.now()))
        clock.advance(10)
    begun = library.get(platform, ADA, video.id)
    found = measure(platform, begun)
    assert found is not None
    assert found.percent > 0
    assert (found.fps, found.eta_s) == (None, None)  # nobody has looked since the retry

    clock.advance(5)
    with platform.database.transaction() as tx:
        task = tx.pieces.claim(video.id, 1, broken.name, "worker", until)
        assert task is not None
        tx.pieces.beat(task, 10, until)
    found = measure(platform, begun)
    assert found is not None
    assert found.fps == pytest.approx(2 * len(video.plan.rungs))
