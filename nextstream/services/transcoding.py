"""The steps of a transcode: probe, encode each piece, publish; every step may run twice or late.

A step claims its row or steps aside, so the queue may lose, repeat and reorder its messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import fields, replace
from typing import TypeVar

import structlog

from nextstream.domain import (
    acceptance,
    backlog,
    damage,
    encryption,
    ladder,
    lifecycle,
    paths,
    published,
    storyboard,
)
from nextstream.domain import plan as plans
from nextstream.domain.events import Event
from nextstream.domain.plan import PROBE, PUBLISH, Kind, Piece, Plan, Rung
from nextstream.domain.source import SourceInfo
from nextstream.domain.video import Options, Rendition, State, Video
from nextstream.errors import EncoderFailed, EncoderTimeout, NextStreamError
from nextstream.ports import EncodedPiece, Platform, Task, Transaction
from nextstream.services import (
    claims,
    events,
    fleet,
    growing,
    images,
    leads,
    measuring,
    packaging,
    patience,
    purging,
    subtitles,
)
from nextstream.services.claims import Claim
from nextstream.settings import Settings

log = structlog.get_logger()
T = TypeVar("T")

SOURCE_URL_S = 12 * 3600  # a signed source URL outlives the longest piece


def probe(platform: Platform, video_id: str, version: int, worker: str) -> tuple[Piece, ...]:
    """Look into the source, plan the encode and give its pieces; empty where there is nothing to do.

    Raises retryable errors after giving its own piece back.
    """
    taken = claims.take(platform, video_id, version, PROBE.name, worker)
    if taken is None:
        return ()
    task, _ = taken
    with claims.minding(platform, task) as claim:
        video = _move(platform, video_id, State.PROBING)
        source = _source_of(claim.platform, video)
        found = platform.encoder.probe(source, video.size_bytes or 0)
        plan = _plan(_choose(platform.settings, video.options), found, _slots(platform))
        claim.check()
        _note_plan(platform, task, found, plan)
        return plan.pieces
    return ()


def encode(platform: Platform, video_id: str, version: int, name: str, worker: str) -> None:
    """Encode a chunk or an audio track, store its segments and note them.

    Raises retryable errors after giving the piece back.
    """
    taken = claims.take(platform, video_id, version, name, worker)
    if taken is None:
        return
    task, video = taken
    with claims.minding(platform, task) as claim:
        parts = tuple(_make(claim, video))
        _note_encoded(platform, task, video, parts)
        measuring.note_encoded(platform, task, video, claim.took_s())
    if video.playable_at is None:
        growing.note_playable(platform, video)


def publish(platform: Platform, video_id: str, version: int, worker: str) -> None:
    """Write the manifests and make the video ready; its piece is held until all others are done.

    Raises retryable errors after giving its own piece back.
    """
    taken = claims.take(platform, video_id, version, PUBLISH.name, worker)
    if taken is None:
        return
    task, video = taken
    with claims.minding(platform, task) as claim:
        growing.note_playable(platform, video)
        assert video.plan is not None  # noqa: S101  a video that is encoding has one
        with platform.database.transaction() as tx:
            work = tx.pieces.list(video_id, version)
        parts = [part for piece in work for part in piece.renditions]
        made = packaging.join(video.plan, parts)
        _note_damage(video, made)  # before a manifest names what isn't worth it
        images.publish(claim.platform, video, made)
        while not _complete(claim, video, made):
            with platform.database.transaction() as tx:
                video = tx.videos.get(video_id)
        measuring.note_ready(platform, video)
        log.info("video ready", video_id=video_id, version=version)
    if version > 1:  # a cancel, or other subtitles of the one before, may have come in between
        leads.restore(platform, video_id)


def _complete(claim: Claim, video: Video, made: Sequence[Rendition]) -> bool:
    """Write the manifests and make the video ready, unless a user changed its subtitles meanwhile."""
    with claim.platform.tracer.span("write manifests"):
        wanted = subtitles.publish(claim.platform, video, made)
        renditions = packaging.write_manifests(claim.platform, video, wanted)
    return _note_ready(claim.platform, claim.task, renditions, subtitles.uploaded(video))


def _note_plan(platform: Platform, task: Task, found: SourceInfo, plan: Plan) -> None:
    """Store the plan and its pieces, and let the encode begin, at once."""

    def note() -> None:
        with platform.database.transaction() as tx:
            tx.videos.lock(task.video_id)
            tx.pieces.finish(task, ())
            every = [*plan.pieces, PUBLISH]
            tx.pieces.add(task.video_id, task.version, every, backlog.costs(plan))
            now, video = platform.clock.now(), tx.videos.get(task.video_id)
            planned = {"source": found, "plan": plan, "keys": _keys(platform, video)}
            tx.videos.save(lifecycle.move(video, State.ENCODING, now, **planned))
            tx.outbox.add(events.about(platform, video, "video.probed", **_describe(plan)))

    patience.persist(note, platform.settings.patience_s)


def _keys(platform: Platform, video: Video) -> dict[int, str]:
    """Give a video's keys, with a new one for this version if it is to be encrypted."""
    if not _choose(platform.settings, video.options).encrypts:
        return video.keys
    sealed = encryption.seal(encryption.make_key(), platform.settings.secret_key)
    return {**video.keys, video.version: sealed}


def _note_encoded(platform: Platform, task: Task, video: Video, made: Sequence[Rendition]) -> None:
    """Note a piece as done, and let publish have its turn when it was the last; raises ClaimLost.

    Raises EncoderFailed where the piece can't be played behind the init segments of the others.
    """

    def note() -> None:
        with platform.database.transaction() as tx:
            tx.videos.lock(task.video_id)
            tally = tx.pieces.tally(task.video_id, task.version)
            packaging.check_inits(made, tally.inits)
            tx.pieces.finish(task, made)
            if tally.unfinished == 1:
                tx.pieces.free(task.video_id, task.version, PUBLISH.name)
            name, frames = task.piece.name, task.piece.frames
            encoded = events.about(platform, video, "piece.encoded", piece=name, frames=frames)
            tx.outbox.add(encoded, *_whole(platform, tx, task, video, made))

    patience.persist(note, platform.settings.patience_s)


def _whole(
    platform: Platform, tx: Transaction, task: Task, video: Video, made: Sequence[Rendition]
) -> Iterator[Event]:
    """Give an event for each rendition that this piece, which is done, made whole."""
    assert video.plan is not None  # noqa: S101  a video that is encoding has one
    standing = tx.pieces.survey(task.video_id, task.version)
    done = {name for name, piece in standing.items() if piece.state == "done"}
    for each in published.whole(video.plan, task.piece, made, done):
        facts = {"rendition": each.name, "kind": each.kind, "codec": each.codec}
        yield events.about(platform, video, "video.rendition.ready", **facts)


def _note_ready(
    platform: Platform, task: Task, renditions: tuple[Rendition, ...], texts: tuple[Rendition, ...]
) -> bool:
    """Make this version the public one; the one before it goes, when nobody watches it any more.

    Does nothing, and says so, where `texts` are not what users have added by now.
    """

    def note() -> bool:
        with platform.database.transaction() as tx:
            tx.videos.lock(task.video_id)
            video = tx.videos.get(task.video_id)
            if subtitles.uploaded(video) != texts:
                return False
            tx.pieces.finish(task, ())
            if video.public_version:
                old, keep_s = video.public_version, platform.settings.keep_old_s
                purging.add_version(platform, tx, video.id, old, keep_s)
                tx.pieces.remove(video.id, old)
            public = {
                "renditions": renditions,
                "public_version": task.version,
                "source": _note_damage(video, renditions),
            }
            now = platform.clock.now()
            video = tx.videos.save(lifecycle.move(video, State.READY, now, **public))
            tx.outbox.add(events.about(platform, video, "video.ready", **_summarise(video)))
        return True

    return patience.persist(note, platform.settings.patience_s)


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
    """Run a step again while its error is worth it; the rows count the attempts.

    Raises what neither passes nor fails the video.
    """
    for tries_left in reversed(range(platform.settings.piece_attempts)):
        try:
            return step()
        except NextStreamError as error:
            if not error.retryable or not tries_left:
                raise
            log.warning("step retried", error=error.code)
    return None


def _move(platform: Platform, video_id: str, to: State) -> Video:
    """Move a video on, unless an earlier attempt has."""
    with platform.database.transaction() as tx:
        tx.videos.lock(video_id)
        video = tx.videos.get(video_id)
        if video.state is to:
            return video
        return tx.videos.save(lifecycle.move(video, to, platform.clock.now()))


def _slots(platform: Platform) -> int:
    """Count the pieces that are encoded at once, where nothing is known of others by this process."""
    with platform.database.transaction() as tx:
        return fleet.slots(tx, platform.clock.now()) or platform.settings.slots


def _choose(settings: Settings, options: Options) -> Settings:
    """Give the settings of one video's encode."""
    chosen = {f.name: getattr(options, f.name) for f in fields(options)}
    wanted = {name: value for name, value in chosen.items() if value is not None}
    for name in {"heights", "codecs"} & wanted.keys():  # settings are written with commas
        wanted[name] = ",".join(map(str, wanted[name]))
    return replace(settings, **wanted)


def _plan(settings: Settings, source: SourceInfo, slots: int) -> Plan:
    """Plan within the server's limits; raises the error of the first one that is passed."""
    acceptance.check(source, _limits(settings))
    rungs: tuple[Rung, ...] = ()
    if source.video:
        rate = plans.choose_rate(source.video.rate)
        rungs = ladder.choose(
            source.video, settings.sides, rate, settings.crf, settings.top_rungs, _codecs(settings)
        )
    voices = ladder.voices(source.audio)
    made = plans.make(source, rungs, voices, settings.preset, settings.chunk_s, slots)
    step = storyboard.step_frames(made.frames, made.gop_frames) if settings.previews and rungs else 0
    return replace(made, tile_frames=step, threads=settings.threads_each)


def _codecs(settings: Settings) -> tuple[ladder.Codec, ...]:
    presets = {"hevc": settings.hevc_preset, "av1": settings.av1_preset}
    return tuple(
        replace(codec, preset=presets.get(codec.name, ""))
        for codec in ladder.CODECS
        if codec.name in settings.codec_names
    )


def _note_damage(video: Video, renditions: Sequence[Rendition]) -> SourceInfo | None:
    """Give the source with the time that the encode lost; raises SourceTruncated for half of it."""
    if video.plan is None or video.source is None or not renditions:
        return video.source
    most = max(renditions, key=lambda rendition: rendition.lost_frames)
    lost_s, broken_s = most.lost_frames / video.plan.rate, most.broken_frames / video.plan.rate
    if lost_s < damage.LEAST_LOST_S:
        return video.source
    return damage.note(video.source, lost_s, video.plan.duration_s, broken_s)


def _limits(settings: Settings) -> acceptance.Limits:
    return acceptance.Limits(
        size_bytes=settings.upload_max_bytes,
        duration_s=settings.source_max_s,
        pixels=settings.source_max_pixels,
        rate=settings.source_max_rate,
        gap_s=settings.source_max_gap_s,
        streams=settings.source_max_streams,
    )


def _make(claim: Claim, video: Video) -> Iterator[Rendition]:
    """Encode a piece and store it, and give what was made of each rendition."""
    assert video.plan is not None  # noqa: S101  a video that is encoding has one
    plan, piece, platform = video.plan, claim.task.piece, claim.platform
    source = _source_of(platform, video)
    if piece.kind is Kind.TEXT:
        yield from subtitles.extract(platform, video, claim.task, _texts(claim, plan, source))
        return

    def opening(frames_done: int, made: Sequence[Rendition] = ()) -> None:
        claim.report(frames_done, made)
        if sum(len(each.segments) for each in made) == 1:  # the first: nothing else may be missing
            growing.note_playable(platform, video)

    if piece.kind is Kind.VIDEO:
        for made in platform.encoder.encode(source, plan, piece, claim.report):
            if made.name == storyboard.NAME:
                images.store_sheet(platform, video, plan, piece, made)
                continue
            with platform.tracer.span("store", rendition=made.name):
                stored = packaging.store_chunk(platform, video, plan, piece, made)
            yield stored
        return
    voice = next(voice for voice in plan.voices if voice.name == piece.voice)
    with closing(platform.encoder.encode_audio(source, plan, voice)) as blocks:
        yield packaging.store_sound(platform, video, plan, voice, blocks, opening)


def _texts(claim: Claim, plan: Plan, source: str) -> list[EncodedPiece]:
    """Take the subtitles out; what can't be had in the last attempt is left out, and the film stays."""
    try:
        return list(claim.platform.encoder.extract_texts(source, plan, claim.report))
    except (EncoderFailed, EncoderTimeout) as error:
        task = claim.task
        if len(task.failed_by) + 1 < claim.platform.settings.piece_attempts:
            raise
        log.warning("subtitles left out", video_id=task.video_id, error=str(error))
        return []


def _source_of(platform: Platform, video: Video) -> str:
    return platform.storage.locate(paths.source(video.id), SOURCE_URL_S)


def _describe(plan: Plan) -> dict[str, object]:
    rungs = [{"name": rung.name, "width": rung.width, "height": rung.height} for rung in plan.rungs]
    return {"duration_s": float(plan.duration_s), "frames": plan.frames, "rungs": rungs}


def _summarise(video: Video) -> dict[str, object]:
    sizes = {rendition.name: rendition.size_bytes for rendition in video.renditions}
    return {"renditions": sizes}
