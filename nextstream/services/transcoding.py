"""The steps of a transcode: probe, encode each piece, publish; every step may run twice or late.

A step claims its row or steps aside, so the queue may lose, repeat and reorder its messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import TypeVar

import structlog

from nextstream.domain import ladder, lifecycle, paths, storyboard
from nextstream.domain import plan as plans
from nextstream.domain.plan import PROBE, PUBLISH, Kind, Piece, Plan, Rung
from nextstream.domain.video import Rendition, SourceInfo, State, Video
from nextstream.errors import NextStreamError, SourceTooLarge, SourceTooLong
from nextstream.ports import Platform, Task, Transaction
from nextstream.services import claims, events, growing, images, packaging
from nextstream.settings import Settings

log = structlog.get_logger()
T = TypeVar("T")

SOURCE_URL_S = 12 * 3600  # a signed source URL outlives the longest piece


def probe(platform: Platform, video_id: str, version: int, worker: str) -> tuple[Piece, ...]:
    """Look into the source, plan the encode and give its pieces; empty where there is nothing to do.

    Raises retryable errors after giving its own piece back.
    """
    claim = claims.take(platform, video_id, version, PROBE.name, worker)
    if claim is None:
        return ()
    task, _ = claim
    with claims.minding(platform, task):
        video = _move(platform, video_id, State.PROBING)
        found = platform.encoder.probe(_source_of(platform, video), video.size_bytes or 0)
        plan = _plan(platform.settings, found)
        with platform.database.transaction() as tx:
            tx.pieces.finish(task, ())
            tx.pieces.add(video_id, version, [*plan.pieces, PUBLISH])
            video = tx.videos.get(video_id)
            now = platform.clock.now()
            tx.videos.save(lifecycle.move(video, State.ENCODING, now, source=found, plan=plan))
            tx.outbox.add(events.about(platform, video, "video.probed", **_describe(plan)))
        return plan.pieces
    return ()


def encode(platform: Platform, video_id: str, version: int, name: str, worker: str) -> None:
    """Encode a chunk or an audio track, store its segments and note them.

    Raises retryable errors after giving the piece back.
    """
    claim = claims.take(platform, video_id, version, name, worker)
    if claim is None:
        return
    task, video = claim
    with claims.minding(platform, task):
        parts = tuple(_make(platform, video, task))
        with platform.database.transaction() as tx:
            packaging.check_inits(parts, _others(tx, video, task.piece))
            tx.pieces.finish(task, parts)
            tx.outbox.add(
                events.about(platform, video, "piece.encoded", piece=name, frames=task.piece.frames)
            )
    growing.note_playable(platform, video)


def publish(platform: Platform, video_id: str, version: int, worker: str) -> None:
    """Write the manifests and make the video ready, once all pieces are done; else do nothing.

    Raises retryable errors after giving its own piece back.
    """
    with platform.database.transaction() as tx:
        tasks = tx.pieces.list(video_id, version)
    work = [task for task in tasks if task.piece.kind in (Kind.VIDEO, Kind.AUDIO)]
    if not work or any(task.state != "done" for task in work):
        return
    claim = claims.take(platform, video_id, version, PUBLISH.name, worker)
    if claim is None:
        return
    task, video = claim
    with claims.minding(platform, task):
        growing.note_playable(platform, video)
        assert video.plan is not None  # noqa: S101  a video that is encoding has one
        parts = [part for piece in work for part in piece.renditions]
        renditions = packaging.join(video.plan, parts)
        images.publish(platform, video, renditions)
        packaging.write_manifests(platform, video, renditions)
        with platform.database.transaction() as tx:
            tx.pieces.finish(task, ())
            video = tx.videos.get(video_id)
            now = platform.clock.now()
            video = tx.videos.save(lifecycle.move(video, State.READY, now, renditions=renditions))
            tx.outbox.add(events.about(platform, video, "video.ready", **_summarise(video)))
        log.info("video ready", video_id=video_id, version=version)


def run(platform: Platform, video_id: str, version: int, slots: int) -> Video:
    """Do all steps in this process, `slots` pieces at a time, and give the video as it ended."""
    worker = "here"
    pieces = _insist(platform, lambda: probe(platform, video_id, version, worker)) or ()

    def do(piece: Piece) -> None:
        _insist(platform, lambda: encode(platform, video_id, version, piece.name, worker))

    with ThreadPoolExecutor(slots) as pool:
        list(pool.map(do, pieces))
    _insist(platform, lambda: publish(platform, video_id, version, worker))
    with platform.database.transaction() as tx:
        return tx.videos.get(video_id)


def _insist(platform: Platform, step: Callable[[], T]) -> T | None:
    """Run a step again while its error is worth it; the rows count the attempts."""
    for _ in range(platform.settings.piece_attempts):
        try:
            return step()
        except NextStreamError as error:
            if not error.retryable:
                raise
            log.warning("step retried", error=error.code)
    return None


def _move(platform: Platform, video_id: str, to: State) -> Video:
    """Move a video on, unless an earlier attempt has."""
    with platform.database.transaction() as tx:
        video = tx.videos.get(video_id)
        if video.state is to:
            return video
        return tx.videos.save(lifecycle.move(video, to, platform.clock.now()))


def _plan(settings: Settings, source: SourceInfo) -> Plan:
    """Plan within the server's limits; raises SourceTooLong and SourceTooLarge."""
    if source.duration_s > settings.source_max_s:
        raise SourceTooLong(detail=f"{float(source.duration_s):.0f} s")
    rungs: tuple[Rung, ...] = ()
    if source.video:
        if source.video.width * source.video.height > settings.source_max_pixels:
            raise SourceTooLarge(detail=f"{source.video.width}x{source.video.height}")
        rate = plans.choose_rate(source.video.rate)
        rungs = ladder.choose(source.video, settings.sides, rate, settings.crf)
    voices = ladder.voices(source.audio)
    made = plans.make(source, rungs, voices, settings.preset, settings.chunk_s, settings.slots)
    step = storyboard.step_frames(made.frames, made.gop_frames) if settings.previews and rungs else 0
    return replace(made, tile_frames=step)


def _make(platform: Platform, video: Video, task: Task) -> Iterator[Rendition]:
    """Encode a piece and store it, and give what was made of each rendition."""
    assert video.plan is not None  # noqa: S101  a video that is encoding has one
    plan, piece = video.plan, task.piece
    source, report = _source_of(platform, video), claims.reporter(platform, task)

    def opening(frames_done: int, made: Sequence[Rendition] = ()) -> None:
        report(frames_done, made)
        if sum(len(each.segments) for each in made) == 1:  # the first: nothing else may be missing
            growing.note_playable(platform, video)

    if piece.kind is Kind.VIDEO:
        for made in platform.encoder.encode(source, plan, piece, report):
            if made.name == storyboard.NAME:
                images.store_sheet(platform, video, plan, piece, made)
                continue
            yield packaging.store_chunk(platform, video, plan, piece, made)
        return
    voice = next(voice for voice in plan.voices if voice.name == piece.voice)
    with closing(platform.encoder.encode_audio(source, plan, voice)) as blocks:
        yield packaging.store_sound(platform, video, plan, voice, blocks, opening)


def _others(tx: Transaction, video: Video, piece: Piece) -> Sequence[Rendition]:
    """Give what a piece's parts must fit to: the opening pieces'; and to those, whatever is there."""
    assert video.plan is not None  # noqa: S101  a video that is encoding has one
    every = [each.name for each in video.plan.pieces]
    return tx.pieces.made(video.id, video.version, video.plan.opening if piece.first_frame else every)


def _source_of(platform: Platform, video: Video) -> str:
    return platform.storage.locate(paths.source(video.id), SOURCE_URL_S)


def _describe(plan: Plan) -> dict[str, object]:
    rungs = [{"name": rung.name, "width": rung.width, "height": rung.height} for rung in plan.rungs]
    return {"duration_s": float(plan.duration_s), "frames": plan.frames, "rungs": rungs}


def _summarise(video: Video) -> dict[str, object]:
    sizes = {rendition.name: rendition.size_bytes for rendition in video.renditions}
    return {"renditions": sizes}
