"""What users do with encodes, on in-memory twins."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from nextstream import wiring
from nextstream.adapters.clock import HandClock
from nextstream.adapters.dispatch_memory import MemoryDispatcher
from nextstream.adapters.encoder_memory import MemoryEncoder
from nextstream.adapters.storage_memory import MemoryStorage
from nextstream.domain import paths
from nextstream.domain.accounts import Account, Role
from nextstream.domain.plan import PUBLISH
from nextstream.domain.video import Encryption, Options, Priority, State, Video
from nextstream.errors import (
    EncoderFailed,
    NotAllowed,
    SourceNotVideo,
    StaleVideo,
    StorageError,
    StorageUnavailable,
    VideoNotFound,
    WrongState,
)
from nextstream.ports import Platform, Report, Storage, StoredObject, Task, Wanted
from nextstream.services import (
    claims,
    downloads,
    encodes,
    feeding,
    fleet,
    growing,
    images,
    library,
    packaging,
    playback,
    purging,
    transcoding,
    uploads,
)

ADA = Account("ada", "ada", "", Role.UPLOADER, HandClock().now())
BOB = replace(ADA, id="bob", name="bob")
OPERATOR = replace(ADA, id="operator", name="operator", role=Role.OPERATOR)
SWEPT_S = 3600


@pytest.fixture
def encoder() -> MemoryEncoder:
    return MemoryEncoder()


@pytest.fixture
def platform(encoder: MemoryEncoder) -> Platform:
    return wiring.in_memory(encoder=encoder, clock=HandClock())


@pytest.fixture
def video(platform: Platform) -> Video:
    return uploads.receive(platform, ADA, "clip.mp4", None, [b"film"], None)


def run(platform: Platform, video: Video, version: int = 1) -> Video:
    return transcoding.run(platform, video.id, version, slots=1)


def tasks(platform: Platform, video: Video, version: int = 1) -> dict[str, Task]:
    with platform.database.transaction() as tx:
        return {task.piece.name: task for task in tx.pieces.list(video.id, version)}


def keys(platform: Platform, video: Video) -> set[str]:
    root = f"videos/{video.id}/"
    return {stored.key.removeprefix(root).split("/")[0] for stored in platform.storage.list(root)}


class WatchedStorage(MemoryStorage):
    """A storage's other door: tells what is about to be removed."""

    before: Callable[[str], None]

    def __init__(self, storage: Storage, before: Callable[[str], None]) -> None:
        self.__dict__ = {**vars(storage), "before": before}

    def remove(self, prefix: str) -> int:
        self.before(prefix)
        return super().remove(prefix)


def watched(platform: Platform, before: Callable[[str], None]) -> Platform:
    return replace(platform, storage=WatchedStorage(platform.storage, before))


def advance(platform: Platform, seconds: float) -> None:
    assert isinstance(platform.clock, HandClock)
    platform.clock.advance(seconds)


def fail(platform: Platform, video: Video, encoder: MemoryEncoder, name: str) -> Video:
    """Let a piece fail as often as it takes."""
    transcoding.probe(platform, video.id, 1, "w")
    names = [n for n, task in tasks(platform, video).items() if task.state != "done" and n != "publish"]
    for each in [*(n for n in names if n != name), *[name] * platform.settings.piece_attempts]:
        if each == name:
            encoder.failing[name] = EncoderFailed(detail="x264 gave up")
        try:
            transcoding.encode(platform, video.id, 1, each, "w")
        except EncoderFailed:
            continue
    return library.get(platform, ADA, video.id)


def test_a_cancelled_encode_leaves_its_source_alone_and_takes_no_more_work(
    platform: Platform, video: Video
) -> None:
    transcoding.probe(platform, video.id, 1, "w")
    transcoding.encode(platform, video.id, 1, "video-00000", "w")
    assert keys(platform, video) == {"source", "v1"}
    cancelled = encodes.cancel(platform, ADA, video.id)
    assert cancelled.state is State.CANCELLED
    assert keys(platform, video) == {"source"}
    transcoding.encode(platform, video.id, 1, "video-00001", "w")
    assert keys(platform, video) == {"source"}
    assert encodes.cancel(platform, ADA, video.id) == cancelled


def test_a_cancel_stops_the_piece_that_runs_before_it_stores_anything(
    platform: Platform, video: Video
) -> None:
    class Cancelled(MemoryEncoder):
        def encode(self, source: str, plan: object, piece: object, report: Report) -> object:  # type: ignore[override]  # never ends
            encodes.cancel(platform, ADA, video.id)
            while True:
                report(1)
                time.sleep(0.05)

    transcoding.probe(platform, video.id, 1, "w")
    transcoding.encode(replace(platform, encoder=Cancelled()), video.id, 1, "video-00000", "w")
    assert keys(platform, video) == {"source"}
    assert library.get(platform, ADA, video.id).state is State.CANCELLED


def test_what_a_late_worker_writes_is_swept_too(platform: Platform, video: Video) -> None:
    encodes.cancel(platform, ADA, video.id)
    platform.storage.put(f"videos/{video.id}/v1/v720/00001.m4s", b"late", "video/iso.segment")
    assert purging.sweep(platform) == 0
    advance(platform, purging.SWEEPS_AFTER_S[0])
    assert purging.sweep(platform) == 1
    assert keys(platform, video) == {"source"}
    advance(platform, SWEPT_S)
    purging.sweep(platform)
    with platform.database.transaction() as tx:
        assert tx.purges.due(platform.clock.now() + timedelta(days=999), 9) == []


def test_a_storage_that_is_away_is_purged_when_it_is_back(platform: Platform, video: Video) -> None:
    class Away(type(platform.storage)):  # type: ignore[misc]  # the twin's own class, at run time
        def list(self, prefix: str) -> object:
            raise StorageUnavailable

    transcoding.probe(platform, video.id, 1, "w")
    transcoding.encode(platform, video.id, 1, "video-00000", "w")
    encodes.cancel(replace(platform, storage=Away()), ADA, video.id)
    assert keys(platform, video) == {"source", "v1"}
    purging.sweep(platform)
    assert keys(platform, video) == {"source"}


def test_a_sweep_that_was_called_off_since_it_was_read_leaves_the_next_encode_alone(
    platform: Platform, video: Video
) -> None:
    other = uploads.receive(platform, ADA, "other.mp4", None, [b"film"], None)

    def retry_meanwhile(prefix: str) -> None:
        if other.id in prefix:  # it is removed first, and takes its time
            encodes.retry(platform, ADA, video.id)
            for piece in transcoding.probe(platform, video.id, 2, "w"):
                transcoding.encode(platform, video.id, 2, piece.name, "w")

    for each in (other, video):
        encodes.cancel(platform, ADA, each.id)
    advance(platform, purging.SWEEPS_AFTER_S[0])
    platform.storage.put(f"videos/{other.id}/v1/v720/00001.m4s", b"late", "video/iso.segment")
    assert purging.sweep(watched(platform, retry_meanwhile)) == 1
    transcoding.publish(platform, video.id, 2, "w")
    ready = library.get(platform, ADA, video.id)
    assert ready.state is State.READY
    for rendition in ready.renditions:
        for segment in rendition.segments:
            platform.storage.head(paths.segment(video.id, 2, rendition.name, segment.number))


def test_a_video_that_is_deleted_during_the_last_sweep_of_its_encode_leaves_nothing(
    platform: Platform, video: Video
) -> None:
    def be_away(prefix: str) -> None:
        raise StorageUnavailable(detail=prefix)

    def delete_meanwhile(_: str) -> None:
        library.remove(watched(platform, be_away), ADA, video.id)

    encodes.cancel(platform, ADA, video.id)
    advance(platform, purging.SWEEPS_AFTER_S[0])
    purging.sweep(platform)
    platform.storage.put(f"videos/{video.id}/v1/v720/00001.m4s", b"late", "video/iso.segment")
    advance(platform, purging.SWEEPS_AFTER_S[1])
    purging.sweep(watched(platform, delete_meanwhile))
    assert keys(platform, video) == {"source"}
    purging.sweep(platform)
    assert keys(platform, video) == set()


def test_what_the_storage_refuses_to_remove_keeps_nothing_else_from_being_removed(
    platform: Platform, video: Video
) -> None:
    def refuse(prefix: str) -> None:
        if video.id in prefix:
            raise StorageError(detail="Operation not permitted")

    other = uploads.receive(platform, ADA, "other.mp4", None, [b"film"], None)
    refusing = watched(platform, refuse)
    for each in (video, other):
        library.remove(refusing, ADA, each.id)
    purging.sweep(refusing)
    assert (keys(platform, video), keys(platform, other)) == ({"source"}, set())
    assert purging.sweep(platform) == 0
    advance(platform, purging.REFUSED_S)
    purging.sweep(platform)
    assert keys(platform, video) == set()


def test_what_a_web_server_may_not_remove_is_due_for_upkeep_at_once(
    platform: Platform, video: Video
) -> None:
    def refuse(prefix: str) -> None:
        raise StorageError(detail=prefix)

    library.remove(watched(platform, refuse), ADA, video.id)
    assert purging.sweep(platform) == 1
    assert keys(platform, video) == set()


def test_many_videos_that_are_removed_at_once_hold_nothing_else_up(platform: Platform) -> None:
    def take_a_second(_: str) -> None:
        advance(platform, 1)

    def refuse(prefix: str) -> None:
        raise StorageError(detail=prefix)

    videos = [uploads.receive(platform, ADA, "a.mp4", None, [b"film"], None) for _ in range(5)]
    for each in videos:
        library.remove(watched(platform, refuse), ADA, each.id)
    slow = watched(platform, take_a_second)
    assert [purging.sweep(slow) for _ in range(3)] == [2, 2, 1]


def test_a_retry_does_again_only_what_failed(
    platform: Platform, video: Video, encoder: MemoryEncoder
) -> None:
    failed = fail(platform, video, encoder, "video-00001")
    assert failed.state is State.FAILED
    assert failed.failure
    assert (failed.failure.code, failed.failure.detail) == ("encoder_failed", "x264 gave up")
    advance(platform, platform.settings.keep_failed_s - 1)
    purging.sweep(platform)
    begun = encodes.retry(platform, ADA, video.id)
    assert (begun.state, begun.version, begun.failure) == (State.ENCODING, 1, None)
    waiting = {n for n, t in tasks(platform, video).items() if t.state in ("waiting", "sent")}
    assert waiting == {"video-00001"}
    transcoding.encode(platform, video.id, 1, "video-00001", "w")
    transcoding.publish(platform, video.id, 1, "w")
    advance(platform, SWEPT_S)
    purging.sweep(platform)
    assert library.get(platform, ADA, video.id).state is State.READY
    assert keys(platform, video) >= {"source", "v1", "master.m3u8"}


def test_a_failed_video_keeps_its_source_alone_after_its_time(
    platform: Platform, video: Video, encoder: MemoryEncoder
) -> None:
    fail(platform, video, encoder, "video-00001")
    assert keys(platform, video) == {"source", "v1"}
    advance(platform, platform.settings.keep_failed_s)
    purging.sweep(platform)
    assert keys(platform, video) == {"source"}
    begun = encodes.retry(platform, ADA, video.id)
    assert (begun.state, begun.version) == (State.UPLOADED, 2)
    assert run(platform, video, 2).state is State.READY
    advance(platform, SWEPT_S)
    purging.sweep(platform)
    assert keys(platform, video) >= {"source", "v2", "master.m3u8"}
    assert not tasks(platform, video, 1)


def test_a_source_that_is_no_video_leaves_nothing_to_keep_but_may_be_retried(
    platform: Platform, video: Video, encoder: MemoryEncoder
) -> None:
    encoder.failing["probe"] = SourceNotVideo()
    assert run(platform, video).state is State.FAILED
    begun = encodes.retry(platform, ADA, video.id)
    assert (begun.state, begun.version) == (State.UPLOADED, 1)
    assert run(platform, video).state is State.READY


def test_a_publish_that_failed_is_all_that_is_done_again(platform: Platform, video: Video) -> None:
    for piece in transcoding.probe(platform, video.id, 1, "w"):
        transcoding.encode(platform, video.id, 1, piece.name, "w")
    with platform.database.transaction() as tx:
        task = tx.pieces.claim(video.id, 1, PUBLISH.name, "w", platform.clock.now())
    assert task
    claims.give_back(platform, task, SourceNotVideo())
    assert encodes.retry(platform, ADA, video.id).state is State.ENCODING
    assert [n for n, t in tasks(platform, video).items() if t.state != "done"] == ["publish"]
    transcoding.publish(platform, video.id, 1, "w")
    assert library.get(platform, ADA, video.id).state is State.READY


def test_a_cancelled_video_is_encoded_from_the_start_when_it_is_retried(
    platform: Platform, video: Video
) -> None:
    transcoding.probe(platform, video.id, 1, "w")
    encodes.cancel(platform, ADA, video.id)
    assert encodes.retry(platform, ADA, video.id).version == 2
    assert run(platform, video, 2).state is State.READY


def test_a_video_plays_its_old_encode_until_the_new_one_is_ready(
    platform: Platform, video: Video
) -> None:
    old = run(platform, video)
    assert old.public_version == 1
    begun = encodes.reencode(platform, ADA, video.id, Options(heights=(240,), crf=30))
    assert (begun.version, begun.public_version, begun.renditions) == (2, 1, old.renditions)
    master = platform.storage.read(f"videos/{video.id}/master.m3u8").decode()
    assert "v1/" in master
    assert images.find(platform, video.id, 1.0, 320).frame.version == 1
    assert "/v1/" in downloads.find(platform, video.id, "v720", sound=False).parts[-1].key
    ready = run(platform, video, 2)
    assert (ready.state, ready.public_version) == (State.READY, 2)
    assert [r.name for r in ready.renditions] == ["v240", "a0"]
    assert ready.plan
    assert {rung.crf for rung in ready.plan.rungs} == {30}
    assert "v1/" not in platform.storage.read(f"videos/{video.id}/master.m3u8").decode()
    assert "v1" in keys(platform, video)  # some still watch it
    advance(platform, platform.settings.keep_old_s)
    purging.sweep(platform)
    assert keys(platform, video) >= {"source", "v2", "master.m3u8"}
    assert "v1" not in keys(platform, video)


def test_a_reencode_that_is_cancelled_leaves_the_old_one_playing(
    platform: Platform, video: Video
) -> None:
    run(platform, video)
    encodes.reencode(platform, ADA, video.id, Options())
    transcoding.probe(platform, video.id, 2, "w")
    transcoding.encode(platform, video.id, 2, "video-00000", "w")
    before = keys(platform, video) - {"v2"}
    assert encodes.cancel(platform, ADA, video.id).public_version == 1
    assert keys(platform, video) == before


def lists(platform: Platform, video: Video) -> dict[str, bytes]:
    """Give the files above the encodes, which lead players to the public one."""
    stored = platform.storage.list(f"videos/{video.id}/")
    above = [one.key for one in stored if one.key.count("/") == 2 and not one.key.endswith("source")]
    return {key: platform.storage.read(key) for key in above}


@pytest.mark.parametrize("encryption", Encryption)
@pytest.mark.parametrize("late", [False, True])
def test_a_reencode_that_is_cancelled_while_it_is_published_leaves_the_old_one_playing(
    platform: Platform,
    video: Video,
    monkeypatch: pytest.MonkeyPatch,
    encryption: Encryption,
    late: bool,
) -> None:
    run(platform, video)
    before = lists(platform, video)
    write = packaging.write_manifests

    def write_and_be_cancelled(*arguments: Any) -> Any:
        if late:
            encodes.cancel(platform, ADA, video.id)
        try:
            return write(*arguments)
        finally:
            assert lists(platform, video) != before
            if not late:
                encodes.cancel(platform, ADA, video.id)

    monkeypatch.setattr(packaging, "write_manifests", write_and_be_cancelled)
    encodes.reencode(platform, ADA, video.id, Options(heights=(240,), encryption=encryption))
    assert run(platform, video, 2).state is State.CANCELLED
    assert lists(platform, video) == before


def test_what_a_cancelled_encode_published_late_is_in_no_ones_way(
    platform: Platform, video: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = packaging.write_manifests

    def be_cancelled_and_write(*arguments: Any) -> Any:
        encodes.cancel(platform, ADA, video.id)
        return write(*arguments)

    with monkeypatch.context() as late:
        late.setattr(packaging, "write_manifests", be_cancelled_and_write)
        run(platform, video)
    assert lists(platform, video)
    encodes.retry(platform, ADA, video.id)
    purging.sweep(platform)
    assert not lists(platform, video)
    transcoding.probe(platform, video.id, 2, "w")
    for name in ("video-00000", "audio-a0"):
        transcoding.encode(platform, video.id, 2, name, "w")
    grown = playback.master(platform, video.id)
    assert isinstance(grown, growing.Playlist)
    assert "v2/" in grown.text


def test_a_reencode_whose_worker_is_killed_while_it_publishes_leaves_the_old_one_playing(
    platform: Platform, video: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(platform, video)
    before = lists(platform, video)

    def be_killed(*_: object) -> None:
        raise SystemExit

    encodes.reencode(platform, ADA, video.id, Options(heights=(240,)))
    with monkeypatch.context() as killed:
        killed.setattr(transcoding, "_note_ready", be_killed)
        with pytest.raises(SystemExit):
            run(platform, video, 2)
    advance(platform, SWEPT_S)
    purging.sweep(platform)
    assert lists(platform, video) != before  # it may be noted yet
    encodes.cancel(platform, ADA, video.id)
    assert lists(platform, video) == before


@pytest.mark.parametrize("encryption", Encryption)
@pytest.mark.parametrize("last", ["storyboard.vtt", "poster.jpg", "master.m3u8"])
def test_a_reencode_that_is_cancelled_between_two_files_above_leaves_the_old_ones(
    platform: Platform, video: Video, last: str, encryption: Encryption
) -> None:
    class Cancelling(MemoryStorage):
        def put(self, key: str, body: bytes, content_type: str) -> StoredObject:
            stored = super().put(key, body, content_type)
            if key == f"videos/{video.id}/{last}":
                encodes.cancel(platform, ADA, video.id)
            return stored

    run(platform, video)
    before = lists(platform, video)
    encodes.reencode(platform, ADA, video.id, Options(heights=(240,), encryption=encryption))
    for piece in transcoding.probe(platform, video.id, 2, "w"):
        transcoding.encode(platform, video.id, 2, piece.name, "w")
    storage = Cancelling()
    storage.__dict__ = vars(platform.storage)
    transcoding.publish(replace(platform, storage=storage), video.id, 2, "w")
    assert library.get(platform, ADA, video.id).state is State.CANCELLED
    advance(platform, purging.SWEEPS_AFTER_S[0])
    purging.sweep(platform)
    assert "v2" not in keys(platform, video)
    assert lists(platform, video) == before


@pytest.mark.parametrize("act", ["cancel", "retry"])
def test_a_video_that_is_ready_is_neither_cancelled_nor_retried(
    platform: Platform, video: Video, act: str
) -> None:
    run(platform, video)
    with pytest.raises(WrongState):
        getattr(encodes, act)(platform, ADA, video.id)


def test_an_encode_that_goes_on_is_not_begun_anew(platform: Platform, video: Video) -> None:
    with pytest.raises(WrongState):
        encodes.reencode(platform, ADA, video.id, Options())
    with pytest.raises(WrongState):
        encodes.retry(platform, ADA, video.id)


def test_what_was_never_uploaded_is_not_retried(platform: Platform) -> None:
    def broken() -> object:
        yield b"film"
        raise StorageUnavailable

    with pytest.raises(StorageUnavailable):
        uploads.receive(platform, ADA, "clip.mp4", None, broken(), None)  # type: ignore[arg-type]
    (video,) = library.page(platform, ADA, Wanted(), None, 9).videos
    with pytest.raises(WrongState, match="upload it again"):
        encodes.retry(platform, ADA, video.id)


def test_an_upload_that_is_cancelled_leaves_nothing(platform: Platform) -> None:
    def blocks() -> object:
        yield b"film"
        (video,) = library.page(platform, ADA, Wanted(), None, 9).videos
        encodes.cancel(platform, ADA, video.id)

    with pytest.raises((WrongState, StaleVideo)):
        uploads.receive(platform, ADA, "clip.mp4", None, blocks(), None)  # type: ignore[arg-type]
    assert not list(platform.storage.list(""))


def test_encodes_are_their_owners_and_the_operators(platform: Platform, video: Video) -> None:
    for act in (encodes.cancel, encodes.retry):
        with pytest.raises(VideoNotFound):
            act(platform, BOB, video.id)
    assert encodes.cancel(platform, OPERATOR, video.id).state is State.CANCELLED


def test_a_priority_is_the_videos_and_that_of_its_pieces(platform: Platform, video: Video) -> None:
    dispatcher = platform.dispatcher
    assert isinstance(dispatcher, MemoryDispatcher)
    before = dispatcher.sent[-1].urgency
    with platform.database.transaction() as tx:
        tx.pieces.unsend(1)
    assert (
        library.change(platform, ADA, video.id, {"priority": Priority.HIGH}, None, None).priority
        is Priority.HIGH
    )
    feeding.feed(platform)
    assert dispatcher.sent[-1].urgency < before
    transcoding.probe(platform, video.id, 1, "w")
    assert dispatcher.sent[-1].urgency < before


def test_workers_are_for_operators_to_see(platform: Platform) -> None:
    fleet.note(platform, "media@a", 4)
    assert [worker.slots for worker in fleet.page(platform, OPERATOR)] == [4]
    with pytest.raises(NotAllowed):
        fleet.page(platform, ADA)
