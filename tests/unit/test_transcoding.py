"""The steps of a transcode against in-memory twins: each may run twice, late, or not at all."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from nextstream import wiring
from nextstream.adapters.clock import HandClock
from nextstream.adapters.encoder_memory import CLIP, MemoryEncoder
from nextstream.domain import lifecycle, paths, scheduling
from nextstream.domain.plan import PROBE, PUBLISH, Kind
from nextstream.domain.source import SourceInfo, TextTrack
from nextstream.domain.video import State, Video
from nextstream.errors import (
    EncoderFailed,
    EncoderTimeout,
    Misconfigured,
    NextStreamError,
    SourceNotVideo,
    StorageError,
    StorageUnavailable,
)
from nextstream.ports import Platform, Task
from nextstream.services import fleet, purging, reconciling, transcoding

ID = "a1b2c3"


@pytest.fixture
def encoder() -> MemoryEncoder:
    return MemoryEncoder()


@pytest.fixture
def platform(encoder: MemoryEncoder) -> Platform:
    """Give a platform with one uploaded video."""
    platform = wiring.in_memory(encoder=encoder, clock=HandClock())
    now = platform.clock.now()
    platform.storage.put(paths.source(ID), b"source", "video/mp4")
    video = Video(ID, "owner", "Title", "a.mp4", now, size_bytes=6, request_id="req-1")
    with platform.database.transaction() as tx:
        tx.videos.add(video)
        for state in (State.UPLOADING, State.UPLOADED):
            video = tx.videos.save(lifecycle.move(video, state, now))
        tx.pieces.add(ID, 1, [PROBE])
    return platform


def video_of(platform: Platform) -> Video:
    with platform.database.transaction() as tx:
        return tx.videos.get(ID)


def tasks_of(platform: Platform) -> dict[str, Task]:
    with platform.database.transaction() as tx:
        return {task.piece.name: task for task in tx.pieces.list(ID, 1)}


def events_of(platform: Platform) -> list[str]:
    with platform.database.transaction() as tx:
        return [entry.event.type for entry in tx.outbox.page(0, 100)]


def keys_of(platform: Platform) -> set[str]:
    return {one.key.removeprefix(f"videos/{ID}/") for one in platform.storage.list(f"videos/{ID}/")}


def transcode(platform: Platform) -> Video:
    return transcoding.run(platform, ID, 1, slots=2)


def test_each_rendition_is_told_of_once_when_it_is_whole(platform: Platform) -> None:
    video = transcode(platform)
    with platform.database.transaction() as tx:
        told = [entry.event for entry in tx.outbox.page(0, 100)]
    whole = [event.data for event in told if event.type == "video.rendition.ready"]
    assert sorted(each["rendition"] for each in whole) == sorted(r.name for r in video.renditions)
    assert {each["kind"] for each in whole} == {"video", "audio"}
    assert told[-1].type == "video.ready"


def test_a_video_goes_from_uploaded_to_ready(platform: Platform) -> None:
    video = transcode(platform)
    assert video.state is State.READY
    assert [r.name for r in video.renditions] == ["v720", "v720-low", "v480", "v360", "v240", "a0"]
    assert list(video.state_times) == [
        State.UPLOADING,
        State.UPLOADED,
        State.PROBING,
        State.ENCODING,
        State.READY,
    ]


def test_every_piece_and_state_has_its_event_with_the_request_that_began_it(platform: Platform) -> None:
    transcode(platform)
    types = events_of(platform)
    assert types[0] == "video.probed"
    assert types.count("piece.encoded") == 4
    assert types[-1] == "video.ready"
    with platform.database.transaction() as tx:
        assert {entry.event.request_id for entry in tx.outbox.page(0, 100)} == {"req-1"}


def test_all_that_playlists_name_is_stored_and_nothing_else(platform: Platform) -> None:
    transcode(platform)
    keys = keys_of(platform)
    named = {"source", "master.m3u8", "manifest.mpd", "v1/master.m3u8", "v1/manifest.mpd"}
    for name in ("poster.jpg", "storyboard.vtt", "storyboard.json"):
        named |= {name, f"v1/thumbs/{name}"}
    for line in platform.storage.read(f"videos/{ID}/storyboard.vtt").decode().splitlines():
        named |= {line.partition("#")[0]} if "#xywh=" in line else set()
    for name in ("v720", "v720-low", "v480", "v360", "v240", "a0"):
        playlist = platform.storage.read(f"videos/{ID}/v1/{name}/index.m3u8").decode()
        named |= {f"v1/{name}/{line}" for line in playlist.splitlines() if line.endswith(".m4s")}
        named |= {f"v1/{name}/index.m3u8", f"v1/{name}/init.mp4"}
        named |= {f"v1/{name}/iframes.m3u8"} if name != "a0" else set()
    assert keys == named
    assert "v1/v720/00004.m4s" in keys


def test_renditions_cover_the_whole_plan_without_gaps(platform: Platform) -> None:
    video = transcode(platform)
    assert video.plan
    for rendition in video.renditions:
        assert [s.number for s in rendition.segments] == [1, 2, 3, 4]
        if rendition.is_video:
            assert rendition.duration_s == video.plan.duration_s


def test_a_step_that_is_run_again_does_nothing(platform: Platform) -> None:
    before = transcode(platform)
    events = events_of(platform)
    assert transcoding.probe(platform, ID, 1, "w2") == ()
    transcoding.encode(platform, ID, 1, "video-00000", "w2")
    transcoding.publish(platform, ID, 1, "w2")
    assert video_of(platform) == before
    assert events_of(platform) == events


def test_a_second_message_for_a_piece_that_another_worker_has_does_nothing(platform: Platform) -> None:
    with platform.database.transaction() as tx:
        assert tx.pieces.claim(ID, 1, "probe", "w1", platform.clock.now() + timedelta(seconds=10))
    assert transcoding.probe(platform, ID, 1, "w2") == ()
    task = tasks_of(platform)["probe"]
    assert (task.state, task.worker, task.attempt) == ("running", "w1", 1)


def test_publishing_waits_for_every_piece(platform: Platform) -> None:
    pieces = transcoding.probe(platform, ID, 1, "w")
    for piece in pieces[:-1]:
        transcoding.encode(platform, ID, 1, piece.name, "w")
        transcoding.publish(platform, ID, 1, "w")
        assert video_of(platform).state is State.ENCODING
    transcoding.encode(platform, ID, 1, pieces[-1].name, "w")
    transcoding.publish(platform, ID, 1, "w")
    assert video_of(platform).state is State.READY


def test_pieces_may_end_in_any_order(platform: Platform) -> None:
    pieces = transcoding.probe(platform, ID, 1, "w")
    for piece in reversed(pieces):
        transcoding.encode(platform, ID, 1, piece.name, "w")
    transcoding.publish(platform, ID, 1, "w")
    names = [r.name for r in video_of(platform).renditions]
    assert names == ["v720", "v720-low", "v480", "v360", "v240", "a0"]


def test_a_file_that_is_no_video_fails_at_once_with_its_reason(
    platform: Platform, encoder: MemoryEncoder
) -> None:
    encoder.failing["probe"] = SourceNotVideo(detail="moov atom not found")
    video = transcode(platform)
    assert video.state is State.FAILED
    assert video.failure
    assert (video.failure.code, video.failure.detail) == ("source_not_video", "moov atom not found")
    assert video.failure.message == SourceNotVideo().message
    assert events_of(platform) == ["video.failed"]
    assert tasks_of(platform)["probe"].attempt == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"duration_s": 13 * 3600}, "source_too_long"),
        ({"video": replace(CLIP.video, width=20_000, height=10_000)}, "source_too_large"),  # type: ignore[type-var]  # the clip has a picture
    ],
)
def test_a_source_over_the_servers_limits_is_refused(
    platform: Platform, encoder: MemoryEncoder, change: dict[str, object], code: str
) -> None:
    source: SourceInfo = replace(CLIP, **change)  # type: ignore[arg-type]  # as the fields are
    encoder.source = source
    failure = transcode(platform).failure
    assert failure is not None
    assert failure.code == code


@pytest.mark.parametrize("name", ["probe", "video-00001", "a0"])
def test_a_passing_fault_costs_one_attempt_of_one_piece(
    platform: Platform, encoder: MemoryEncoder, name: str
) -> None:
    encoder.failing[name] = EncoderFailed(detail="killed")
    assert transcode(platform).state is State.READY
    attempts = {task.piece.name: task.attempt for task in tasks_of(platform).values()}
    retried = "audio-a0" if name == "a0" else name
    assert attempts.pop(retried) == 2
    assert set(attempts.values()) == {1}


def test_a_piece_that_fails_every_time_fails_the_video_with_the_encoders_words(
    platform: Platform, encoder: MemoryEncoder
) -> None:
    pieces = transcoding.probe(platform, ID, 1, "w")
    for attempt in (1, 2, 3):
        encoder.failing["video-00001"] = EncoderFailed(detail=f"try {attempt}")
        if attempt < 3:
            with pytest.raises(EncoderFailed):
                transcoding.encode(platform, ID, 1, "video-00001", "w")
        else:
            transcoding.encode(platform, ID, 1, "video-00001", "w")
    video = video_of(platform)
    assert video.failure
    assert (video.state, video.failure.detail) == (State.FAILED, "try 3")
    transcoding.encode(platform, ID, 1, pieces[0].name, "w")
    assert tasks_of(platform)[pieces[0].name].state == "held"


def test_a_storage_fault_is_retried_and_leaves_the_piece_waiting(platform: Platform) -> None:
    class Faulty(type(platform.storage)):  # type: ignore[misc]  # the twin's own class, at run time
        def put(self, key: str, body: bytes, content_type: str) -> object:
            raise StorageUnavailable

    transcoding.probe(platform, ID, 1, "w")
    impatient = replace(platform.settings, patience_s=0)
    broken = replace(platform, storage=Faulty(), settings=impatient)
    for _ in range(5):  # which is no fault of the piece, however often
        with pytest.raises(StorageUnavailable):
            transcoding.encode(broken, ID, 1, "video-00000", "w")
    task = tasks_of(platform)["video-00000"]
    assert (task.state, task.attempt) == ("waiting", 0)


@pytest.mark.parametrize("error", [Misconfigured("No ffmpeg."), StorageError("The keys are refused.")])
def test_a_worker_that_is_not_set_up_fails_no_video_that_another_can_encode(
    platform: Platform, encoder: MemoryEncoder, error: NextStreamError
) -> None:
    for worker in ("broken", "sound"):
        fleet.note(platform, worker, 1)
    transcoding.probe(platform, ID, 1, "sound")
    encoder.failing["video-00000"] = error
    with pytest.raises(type(error)):
        transcoding.encode(platform, ID, 1, "video-00000", "broken")
    transcoding.encode(platform, ID, 1, "video-00000", "broken")  # leaves it to the other one
    assert tasks_of(platform)["video-00000"].state == "waiting"
    transcoding.encode(platform, ID, 1, "video-00000", "sound")
    assert tasks_of(platform)["video-00000"].state == "done"


def test_where_no_worker_is_set_up_the_video_fails_and_what_was_encoded_stays_for_a_retry(
    platform: Platform, encoder: MemoryEncoder
) -> None:
    transcoding.probe(platform, ID, 1, "w")
    transcoding.encode(platform, ID, 1, "video-00000", "w")
    for _ in range(platform.settings.piece_attempts):
        encoder.failing["video-00001"] = Misconfigured("No ffmpeg.")
        with suppress(Misconfigured):
            transcoding.encode(platform, ID, 1, "video-00001", "w")
    failure = video_of(platform).failure
    assert failure
    assert (failure.code, failure.retryable) == ("misconfigured", True)
    purging.sweep(platform)
    assert list(platform.storage.list(f"videos/{ID}/v1/"))


@pytest.mark.parametrize("error", [EncoderFailed, EncoderTimeout])
def test_subtitles_that_cannot_be_had_are_left_out_and_the_film_stays(
    platform: Platform, encoder: MemoryEncoder, error: type[NextStreamError]
) -> None:
    encoder.source = replace(encoder.source, texts=(TextTrack(7, "subrip"),))
    pieces = transcoding.probe(platform, ID, 1, "w")
    for _ in range(platform.settings.piece_attempts):
        encoder.failing["text"] = error()
        with suppress(error):
            transcoding.encode(platform, ID, 1, "text", "w")
    for piece in pieces:
        transcoding.encode(platform, ID, 1, piece.name, "w")
    transcoding.publish(platform, ID, 1, "w")
    video = video_of(platform)
    assert video.state is State.READY
    assert not any(each.is_text for each in video.renditions)


def test_a_storage_that_is_back_soon_costs_no_encode(platform: Platform) -> None:
    class Limping(type(platform.storage)):  # type: ignore[misc]  # the twin's own class, at run time
        faults = 3

        def put(self, key: str, body: bytes, content_type: str) -> object:
            self.faults -= 1
            if self.faults >= 0:
                raise StorageUnavailable
            return super().put(key, body, content_type)

    transcoding.probe(platform, ID, 1, "w")
    transcoding.encode(replace(platform, storage=Limping()), ID, 1, "video-00000", "w")
    task = tasks_of(platform)["video-00000"]
    assert (task.state, task.attempt) == ("done", 1)


def test_a_worker_that_lost_its_claim_cannot_store_its_result(platform: Platform) -> None:
    clock = platform.clock
    assert isinstance(clock, HandClock)
    transcoding.probe(platform, ID, 1, "w")

    class Slow(MemoryEncoder):
        def encode(self, *args: object) -> object:  # type: ignore[override]  # passes all on
            clock.advance(11)  # the lease ends in the middle of the work,
            reconciling.reconcile(platform)
            transcoding.encode(platform, ID, 1, "video-00000", "w2")  # and another worker is faster
            return super().encode(*args)  # type: ignore[arg-type]  # as given

    transcoding.encode(replace(platform, encoder=Slow()), ID, 1, "video-00000", "w1")
    task = tasks_of(platform)["video-00000"]
    assert (task.state, task.worker, task.attempt) == ("done", "w2", 2)
    assert events_of(platform).count("piece.encoded") == 1


def test_chunks_whose_init_segments_differ_are_not_joined(platform: Platform) -> None:
    transcoding.probe(platform, ID, 1, "w")
    transcoding.encode(platform, ID, 1, "video-00000", "w")

    class Other(MemoryEncoder):
        def encode(self, *args: object) -> object:  # type: ignore[override]  # passes all on
            for made in super().encode(*args):  # type: ignore[arg-type]  # as given
                yield replace(made, data=made.data.replace(b"\x64\x00\x1f", b"\x64\x00\x20", 1))

    with pytest.raises(EncoderFailed, match="init segments"):
        transcoding.encode(replace(platform, encoder=Other()), ID, 1, "video-00001", "w")


def test_a_chunk_with_frames_missing_is_a_truncated_source(platform: Platform) -> None:
    pieces = transcoding.probe(platform, ID, 1, "w")

    class Short(MemoryEncoder):
        def encode(self, source: str, plan: object, piece: object, report: object) -> object:  # type: ignore[override]  # passes all on
            less = replace(piece, frames=10)  # type: ignore[type-var]  # a Piece
            return super().encode(source, plan, less, report)  # type: ignore[arg-type]  # as given

    transcoding.encode(replace(platform, encoder=Short()), ID, 1, pieces[-1].name, "w")
    failure = video_of(platform).failure
    assert failure is not None
    assert failure.code == "source_truncated"


def test_a_piece_that_loses_worker_after_worker_fails_its_video_and_takes_no_more(
    platform: Platform,
) -> None:
    clock, losses = platform.clock, 0
    assert isinstance(clock, HandClock)
    while video_of(platform).state is not State.FAILED:
        with platform.database.transaction() as tx:
            assert tx.pieces.claim(ID, 1, "probe", f"w{losses}", clock.now() + timedelta(seconds=3))
        losses += 1
        for _ in range(2):  # often enough not to look as if the database had been away
            clock.advance(2)
            reconciling.reconcile(platform)
    assert losses == scheduling.LOSSES_PER_ATTEMPT * platform.settings.piece_attempts
    failure = video_of(platform).failure
    assert failure is not None
    assert failure.code == "worker_lost"
    assert transcoding.probe(platform, ID, 1, "w") == ()


def test_a_video_deleted_in_the_middle_of_a_piece_ends_that_piece_without_an_error(
    platform: Platform,
) -> None:
    transcoding.probe(platform, ID, 1, "w")

    class Deleting(MemoryEncoder):
        def encode(self, *_: object) -> object:  # type: ignore[override]  # raises whatever comes
            with platform.database.transaction() as tx:
                tx.videos.remove(ID)
            raise EncoderFailed

    transcoding.encode(replace(platform, encoder=Deleting()), ID, 1, "video-00000", "w")
    transcoding.encode(platform, ID, 1, "video-00000", "w")


def test_a_video_that_was_deleted_is_left_alone(platform: Platform) -> None:
    with platform.database.transaction() as tx:
        tx.videos.remove(ID)
    assert transcoding.probe(platform, ID, 1, "w") == ()
    transcoding.encode(platform, ID, 1, "video-00000", "w")
    transcoding.publish(platform, ID, 1, "w")
    assert keys_of(platform) == {"source"}


def test_sound_alone_becomes_a_video_without_rungs(platform: Platform, encoder: MemoryEncoder) -> None:
    encoder.source = replace(CLIP, video=None)
    video = transcode(platform)
    assert video.state is State.READY
    assert [r.name for r in video.renditions] == ["a0"]
    assert all(task.piece.kind is not Kind.VIDEO for task in tasks_of(platform).values())


def test_pieces_of_another_version_are_not_touched(platform: Platform) -> None:
    assert transcoding.probe(platform, ID, 2, "w") == ()
    assert tasks_of(platform)["probe"].state == "waiting"


def test_publish_is_the_last_piece_of_a_plan(platform: Platform) -> None:
    transcoding.probe(platform, ID, 1, "w")
    assert list(tasks_of(platform))[-1] == PUBLISH.name


@pytest.mark.parametrize(
    ("lost", "broken", "state"),
    [(0, 0, "ready"), (48, 0, "ready"), (300, 0, "failed"), (300, 290, "ready")],
)
def test_frames_that_the_encode_lost_are_told_and_half_of_them_are_too_many(
    lost: int, broken: int, state: str, platform: Platform, encoder: MemoryEncoder
) -> None:
    encoder.lost_frames = lost  # of each chunk, 24 a second
    encoder.broken_frames = broken
    video = transcode(platform)
    assert video.state == state
    assert video.source is not None
    codes = [each.code for each in video.source.warnings]
    assert codes == (["source_damaged"] if lost and state == "ready" else [])
    assert (video.failure and video.failure.code) == ("source_truncated" if state == "failed" else None)
