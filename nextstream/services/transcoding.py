"""The steps of a transcode: probe, encode each piece, publish; every step may run twice or late.

A step claims its row or steps aside, so the queue may lose, repeat and reorder its messages.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TypeVar

import structlog

from nextstream.domain import dash, fmp4, hls, ladder, lifecycle, paths
from nextstream.domain import plan as plans
from nextstream.domain.events import Event, happen
from nextstream.domain.plan import PROBE, PUBLISH, Kind, Piece, Plan, Rung
from nextstream.domain.video import Failure, Rendition, Segment, SourceInfo, State, Video
from nextstream.errors import (
    ClaimLost,
    EncoderFailed,
    NextStreamError,
    PieceBusy,
    SourceTooLarge,
    SourceTooLong,
    SourceTruncated,
    VideoNotFound,
)
from nextstream.ports import EncodedPiece, Platform, Report, Task, Transaction
from nextstream.settings import Settings

log = structlog.get_logger()
T = TypeVar("T")

SOURCE_URL_S = 12 * 3600  # a signed source URL outlives the longest piece
BEAT_EVERY_S = 1.0
_BUSY = frozenset({State.UPLOADED, State.PROBING, State.ENCODING})


def probe(platform: Platform, video_id: str, version: int, worker: str) -> tuple[Piece, ...]:
    """Look into the source, plan the encode and give its pieces; empty where there is nothing to do.

    Raises retryable errors after giving its own piece back.
    """
    claim = _claim(platform, video_id, version, PROBE.name, worker)
    if claim is None:
        return ()
    task, _ = claim
    with _minding(platform, task):
        video = _move(platform, video_id, State.PROBING)
        found = platform.encoder.probe(_source_of(platform, video), video.size_bytes or 0)
        plan = _plan(platform.settings, found)
        with platform.database.transaction() as tx:
            tx.pieces.finish(task, ())
            tx.pieces.add(video_id, version, [*plan.pieces, PUBLISH])
            video = tx.videos.get(video_id)
            now = platform.clock.now()
            tx.videos.save(lifecycle.move(video, State.ENCODING, now, source=found, plan=plan))
            tx.outbox.add(_event(platform, video, "video.probed", **_describe(plan)))
        return plan.pieces
    return ()


def encode(platform: Platform, video_id: str, version: int, name: str, worker: str) -> None:
    """Encode a chunk or an audio track, store its segments and note them.

    Raises retryable errors after giving the piece back.
    """
    claim = _claim(platform, video_id, version, name, worker)
    if claim is None:
        return
    task, video = claim
    with _minding(platform, task):
        parts = tuple(_make(platform, video, task))
        with platform.database.transaction() as tx:
            _check_inits(parts, tx.pieces.list(video_id, version))
            tx.pieces.finish(task, parts)
            tx.outbox.add(_event(platform, video, "piece.encoded", piece=name, frames=task.piece.frames))


def publish(platform: Platform, video_id: str, version: int, worker: str) -> None:
    """Write the manifests and make the video ready, once all pieces are done; else do nothing.

    Raises retryable errors after giving its own piece back.
    """
    with platform.database.transaction() as tx:
        tasks = tx.pieces.list(video_id, version)
    work = [task for task in tasks if task.piece.kind in (Kind.VIDEO, Kind.AUDIO)]
    if not work or any(task.state != "done" for task in work):
        return
    claim = _claim(platform, video_id, version, PUBLISH.name, worker)
    if claim is None:
        return
    task, video = claim
    with _minding(platform, task):
        renditions = join([part for piece in work for part in piece.renditions])
        _write_manifests(platform, video, renditions)
        with platform.database.transaction() as tx:
            tx.pieces.finish(task, ())
            video = tx.videos.get(video_id)
            now = platform.clock.now()
            video = tx.videos.save(lifecycle.move(video, State.READY, now, renditions=renditions))
            tx.outbox.add(_event(platform, video, "video.ready", **_summarise(video)))
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


def join(parts: Sequence[Rendition]) -> tuple[Rendition, ...]:
    """Join the parts that pieces made into whole renditions, in the order they first appear."""
    whole: dict[str, Rendition] = {}
    for part in parts:
        before = whole.get(part.name)
        segments = (*before.segments, *part.segments) if before else part.segments
        whole[part.name] = replace(part, segments=_in_order(segments))
    return tuple(whole.values())


def _in_order(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    return tuple(sorted(segments, key=lambda segment: segment.number))


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


def _claim(
    platform: Platform, video_id: str, version: int, name: str, worker: str
) -> tuple[Task, Video] | None:
    """Claim a piece of a video that still wants it, and give both; None where there is nothing to do.

    Raises PieceBusy while another's lease lives: its worker may be dead, and then a message that
    was sent again has to find the piece free, or what waits for it would go on without it.
    """
    now = platform.clock.now()
    with platform.database.transaction() as tx:
        try:
            video = tx.videos.get(video_id)
        except VideoNotFound:
            return None
        if video.state not in _BUSY or video.version != version:
            return None
        task = tx.pieces.claim(video_id, version, name, worker, now, _lease_until(platform))
        if task is None and _is_running(tx.pieces.list(video_id, version), name):
            raise PieceBusy
    if task is None:
        return None
    if task.attempt <= platform.settings.piece_attempts:
        return task, video
    # Its workers died in the middle: a source that kills them must not kill all there are.
    _give_back(platform, task, EncoderFailed(detail="every worker that had it died"), final=True)
    return None


def _is_running(tasks: Sequence[Task], name: str) -> bool:
    return any(task.piece.name == name and task.state == "running" for task in tasks)


@contextmanager
def _minding(platform: Platform, task: Task) -> Iterator[None]:
    """Note how a claimed piece fails: given back and raised again if a retry can help, else for good."""
    try:
        yield
    except ClaimLost:
        log.warning("claim lost", video_id=task.video_id, piece=task.piece.name)
    except (SystemExit, KeyboardInterrupt):  # the worker is stopped, and the task starts elsewhere
        _give_back(platform, task, EncoderFailed("The worker was stopped."), final=False)
        raise
    except NextStreamError as error:
        final = not error.retryable or task.attempt >= platform.settings.piece_attempts
        _give_back(platform, task, error, final=final)
        if not final:
            raise


def _give_back(platform: Platform, task: Task, error: NextStreamError, *, final: bool) -> None:
    """Let a claim go, and with `final` fail its video; nothing where the claim was lost meanwhile."""
    facts = {"video_id": task.video_id, "piece": task.piece.name, "error": str(error)}
    log.warning("piece failed", final=final, **facts)
    with suppress(ClaimLost), platform.database.transaction() as tx:
        tx.pieces.give_back(task, str(error), final=final)
        if final:
            _fail(platform, tx, task, error)


def _fail(platform: Platform, tx: Transaction, task: Task, error: NextStreamError) -> None:
    video = tx.videos.get(task.video_id)
    if video.state in lifecycle.ENDED:
        return
    failure = Failure(error.code, error.message, error.detail, error.retryable)
    tx.videos.save(lifecycle.move(video, State.FAILED, platform.clock.now(), failure=failure))
    tx.outbox.add(_event(platform, video, "video.failed", code=error.code, message=error.message))


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
    return plans.make(source, rungs, voices, settings.preset, settings.chunk_s)


def _make(platform: Platform, video: Video, task: Task) -> Iterator[Rendition]:
    """Encode a piece and store it, and give what was made of each rendition."""
    assert video.plan is not None  # noqa: S101  a video that is encoding has one
    plan, piece = video.plan, task.piece
    source, report = _source_of(platform, video), _reporter(platform, task)
    if piece.kind is Kind.VIDEO:
        for made in platform.encoder.encode(source, plan, piece, report):
            yield _store_chunk(platform, video, plan, piece, made)
        return
    voice = next(voice for voice in plan.voices if voice.name == piece.voice)
    for made in platform.encoder.encode_audio(source, plan, voice, report):
        track = fmp4.read(made.data)
        ticks = float(plan.segment_s * track.timescale)
        slices = fmp4.slice_audio(made.data, track, ticks, plan.segments)
        segments = _store(platform, video, voice.name, track, slices)
        yield replace(
            _rendition(voice.name, track, segments),
            channels=voice.channels,
            language=voice.language,
            title=voice.title,
        )


def _store_chunk(
    platform: Platform, video: Video, plan: Plan, piece: Piece, made: EncodedPiece
) -> Rendition:
    track = fmp4.read(made.data)
    if len(track.samples) != piece.frames:
        raise SourceTruncated(detail=f"{piece.name}: {len(track.samples)} of {piece.frames} frames")
    first = piece.first_frame // plan.segment_frames
    slices = fmp4.slice_video(made.data, track, first, plan.gop_frames, plans.GOPS_PER_SEGMENT)
    segments = _store(platform, video, made.name, track, slices)
    rung = next(rung for rung in plan.rungs if rung.name == made.name)
    return replace(
        _rendition(made.name, track, segments),
        width=rung.width,
        height=rung.height,
        gop_ticks=plan.gop_ticks,
    )


def _store(
    platform: Platform, video: Video, name: str, track: fmp4.Track, slices: Iterator[fmp4.Slice]
) -> tuple[Segment, ...]:
    """Store segments, and the init segment beside the first; may run twice, with the same bytes."""
    segments = []
    for made in slices:
        number = made.segment.number
        if number == 1:
            _put(platform, paths.init(video.id, video.version, name), track.init)
        _put(platform, paths.segment(video.id, video.version, name, number), made.body)
        segments.append(made.segment)
    return tuple(segments)


def _rendition(name: str, track: fmp4.Track, segments: tuple[Segment, ...]) -> Rendition:
    return Rendition(name, track.codec, track.timescale, sha256(track.init).hexdigest(), segments)


def _check_inits(parts: Sequence[Rendition], tasks: Sequence[Task]) -> None:
    """Raise EncoderFailed where a part can't be played behind another's init segment."""
    known = {part.name: part.init_sha256 for task in tasks for part in task.renditions}
    for part in parts:
        if known.get(part.name, part.init_sha256) != part.init_sha256:
            raise EncoderFailed(detail=f"{part.name}: init segments of two chunks differ")


def _write_manifests(platform: Platform, video: Video, renditions: Sequence[Rendition]) -> None:
    """Write every manifest, those that name others last; may run twice."""
    assert video.plan is not None  # noqa: S101  a video that is encoding has one
    rate, duration_s = video.plan.rate, video.plan.duration_s
    target_s = hls.target_s(renditions)
    tree, folder = paths.tree(video.id, video.version), f"{paths.version_folder(video.version)}/"
    for rendition in renditions:
        _write(platform, f"{tree}/{rendition.name}/{paths.PLAYLIST}", hls.media(rendition, target_s))
        if rendition.is_video:
            key = f"{tree}/{rendition.name}/{paths.IFRAMES}"
            _write(platform, key, hls.iframes(rendition, target_s))
    for where, prefix in ((tree, ""), (paths.root(video.id), folder)):
        _write(
            platform, f"{where}/{paths.MANIFEST}", dash.manifest(renditions, rate, duration_s, prefix)
        )
        _write(platform, f"{where}/{paths.MASTER}", hls.master(renditions, rate, prefix))


def _write(platform: Platform, key: str, text: str) -> None:
    _put(platform, key, text.encode())


def _put(platform: Platform, key: str, body: bytes) -> None:
    platform.storage.put(key, body, paths.mime_type(key))


def _reporter(platform: Platform, task: Task) -> Report:
    """Give a report that lengthens the lease, once a second at the most; it raises ClaimLost."""
    last = 0.0

    def report(frames_done: int) -> None:
        nonlocal last
        if time.monotonic() - last >= BEAT_EVERY_S:
            last = time.monotonic()
            with platform.database.transaction() as tx:
                tx.pieces.beat(task, frames_done, _lease_until(platform))

    return report


def _lease_until(platform: Platform) -> datetime:
    return platform.clock.now() + timedelta(seconds=platform.settings.lease_s)


def _source_of(platform: Platform, video: Video) -> str:
    return platform.storage.locate(paths.source(video.id), SOURCE_URL_S)


def _event(platform: Platform, video: Video, type_: str, **data: object) -> Event:
    return happen(type_, video.id, platform.clock.now(), video.request_id, version=video.version, **data)


def _describe(plan: Plan) -> dict[str, object]:
    rungs = [{"name": rung.name, "width": rung.width, "height": rung.height} for rung in plan.rungs]
    return {"duration_s": float(plan.duration_s), "frames": plan.frames, "rungs": rungs}


def _summarise(video: Video) -> dict[str, object]:
    sizes = {rendition.name: rendition.size_bytes for rendition in video.renditions}
    return {"renditions": sizes}
