from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from time import perf_counter

import pytest

from nextstream import wiring
from nextstream.adapters.clock import HandClock
from nextstream.adapters.dispatch_memory import MemoryDispatcher
from nextstream.domain.accounts import Account, Role
from nextstream.domain.plan import PROBE
from nextstream.domain.video import State, Video
from nextstream.errors import (
    DatabaseUnavailable,
    NextStreamError,
    NotAllowed,
    StorageUnavailable,
    UploadEmpty,
    UploadIncomplete,
    UploadTooLarge,
    VideoNotFound,
)
from nextstream.ports import Message, Platform, Transaction, Wanted
from nextstream.services import library, uploads

OWNER = Account("ada", "ada", "", Role.UPLOADER, datetime(2030, 1, 1, tzinfo=UTC))


@pytest.fixture
def dispatcher() -> MemoryDispatcher:
    return MemoryDispatcher()


@pytest.fixture
def platform(dispatcher: MemoryDispatcher) -> Platform:
    return wiring.in_memory(dispatcher=dispatcher, clock=HandClock())


def receive(platform: Platform, *blocks: bytes, **options: object) -> Video:
    given = {"filename": "clip.mp4", "title": None, "size_bytes": None, "request_id": "r1", **options}
    return uploads.receive(platform, OWNER, blocks=iter(blocks), **given)  # type: ignore[arg-type]


def only_video(platform: Platform) -> Video:
    with platform.database.transaction() as tx:
        [video] = tx.videos.page(Wanted(), None, 10)
        return video


def events(platform: Platform, video: Video) -> list[str]:
    with platform.database.transaction() as tx:
        return [entry.event.type for entry in tx.outbox.page(0, 100, video.id)]


def test_an_upload_is_stored_noted_and_sent_to_work(
    platform: Platform, dispatcher: MemoryDispatcher
) -> None:
    video = receive(platform, b"fi", b"lm", size_bytes=4)
    assert platform.storage.read(f"videos/{video.id}/source") == b"film"
    assert (video.state, video.size_bytes, video.owner_id) == (State.UPLOADED, 4, "ada")
    assert list(video.state_times) == [State.CREATED, State.UPLOADING, State.UPLOADED]
    assert events(platform, video) == ["video.created", "video.uploaded"]
    (message,) = dispatcher.sent
    assert (message.video_id, message.version, message.name, message.request_id) == (
        video.id,
        1,
        "probe",
        "r1",
    )
    with platform.database.transaction() as tx:
        assert [task.piece for task in tx.pieces.list(video.id, 1)] == [PROBE]
        assert tx.videos.get(video.id) == video


def test_the_video_is_there_before_the_first_byte(platform: Platform) -> None:
    seen: list[State] = []

    def blocks() -> Iterator[bytes]:
        seen.append(only_video(platform).state)
        yield b"film"

    uploads.receive(platform, OWNER, "clip.mp4", None, blocks(), None)
    assert seen == [State.UPLOADING]


def test_work_is_sent_only_after_it_can_be_seen(platform: Platform) -> None:
    class Looking(MemoryDispatcher):
        def send(self, messages: Sequence[Message]) -> None:
            (message,) = messages
            with platform.database.transaction() as tx:
                assert tx.videos.get(message.video_id).state is State.UPLOADED
                assert tx.pieces.list(message.video_id, message.version)
            super().send(messages)

    looking = Looking()
    receive(replace(platform, dispatcher=looking), b"film")
    assert looking.sent


def test_a_queue_that_is_away_delays_the_work_only(
    platform: Platform, dispatcher: MemoryDispatcher
) -> None:
    dispatcher.away = True
    video = receive(platform, b"film")
    assert only_video(platform) == video
    assert video.state is State.UPLOADED
    with platform.database.transaction() as tx:
        (task,) = tx.pieces.list(video.id, 1)
    assert task.state == "sent"  # and the queue's emptiness tells later that it wasn't


def broken() -> Iterator[bytes]:
    yield b"film"
    raise UploadIncomplete


def out_of_memory() -> Iterator[bytes]:
    yield b"film"
    raise MemoryError


@pytest.mark.parametrize(
    ("blocks", "size_bytes", "error", "code"),
    [
        ([b"fil"], 4, UploadIncomplete, "upload_incomplete"),
        ([b"films"], 4, UploadIncomplete, "upload_incomplete"),
        ([], 4, UploadIncomplete, "upload_incomplete"),
        ([], 0, UploadEmpty, "upload_empty"),
        ([b""], None, UploadEmpty, "upload_empty"),
        ([b"x" * 60, b"x" * 60], None, UploadTooLarge, "upload_too_large"),
        (broken(), None, UploadIncomplete, "upload_incomplete"),
        (out_of_memory(), None, MemoryError, "internal"),
    ],
    ids=["short", "long", "nothing", "empty", "empty block", "too large", "broken", "not ours"],
)
def test_an_upload_that_fails_says_why_and_leaves_nothing(
    platform: Platform,
    dispatcher: MemoryDispatcher,
    blocks: list[bytes],
    size_bytes: int | None,
    error: type[Exception],
    code: str,
) -> None:
    small = replace(platform, settings=replace(platform.settings, upload_max_bytes=100))
    with pytest.raises(error):
        uploads.receive(small, OWNER, "clip.mp4", None, blocks, size_bytes)
    video = only_video(platform)
    assert video.state is State.FAILED
    assert video.failure is not None
    assert video.failure.code == code
    assert events(platform, video) == ["video.created", "video.failed"]
    assert not list(platform.storage.list("videos/"))
    assert not dispatcher.sent


def test_nothing_is_read_beyond_the_largest_size(platform: Platform) -> None:
    small = replace(platform, settings=replace(platform.settings, upload_max_bytes=100))
    blocks = iter([b"x" * 60] * 10)
    with pytest.raises(UploadTooLarge, match="100 bytes"):
        uploads.receive(small, OWNER, "clip.mp4", None, blocks, None)
    assert len(list(blocks)) == 8


def test_what_is_too_large_by_its_own_word_makes_no_video(platform: Platform) -> None:
    small = replace(platform, settings=replace(platform.settings, upload_max_bytes=100))
    with pytest.raises(UploadTooLarge):
        receive(small, b"", size_bytes=101)
    with platform.database.transaction() as tx:
        assert not tx.videos.page(Wanted(), None, 10)
    assert receive(small, b"x" * 100, size_bytes=100).size_bytes == 100


def test_a_viewer_makes_no_video(platform: Platform) -> None:
    viewer = replace(OWNER, role=Role.VIEWER)
    with pytest.raises(NotAllowed):
        uploads.receive(platform, viewer, "clip.mp4", None, [b"film"], None)
    with platform.database.transaction() as tx:
        assert not tx.videos.page(Wanted(), None, 10)


def test_a_storage_that_fails_after_the_bytes_leaves_none_of_them(platform: Platform) -> None:
    def blocks() -> Iterator[bytes]:
        yield b"film"
        [video] = [only_video(platform)]
        platform.storage.put(f"videos/{video.id}/left-over", b"", "text/plain")
        raise StorageUnavailable

    with pytest.raises(StorageUnavailable):
        uploads.receive(platform, OWNER, "clip.mp4", None, blocks(), None)
    failure = only_video(platform).failure
    assert failure is not None
    assert failure.retryable
    assert not list(platform.storage.list("videos/"))


def test_a_video_removed_while_it_comes_in_leaves_nothing(
    platform: Platform, dispatcher: MemoryDispatcher
) -> None:
    def blocks() -> Iterator[bytes]:
        yield b"film"
        library.remove(platform, OWNER, only_video(platform).id)

    with pytest.raises(VideoNotFound):
        uploads.receive(platform, OWNER, "clip.mp4", None, blocks(), None)
    assert not list(platform.storage.list("videos/"))
    assert not dispatcher.sent


def test_a_title_that_changes_while_the_video_comes_in_doesnt_lose_it(platform: Platform) -> None:
    def blocks() -> Iterator[bytes]:
        yield b"fi"
        library.change(platform, OWNER, only_video(platform).id, {"title": "New"}, None, None)
        yield b"lm"

    video = uploads.receive(platform, OWNER, "clip.mp4", "Old", blocks(), 4)
    assert (video.title, video.state) == ("New", State.UPLOADED)
    assert platform.storage.read(f"videos/{video.id}/source") == b"film"


def test_an_error_after_the_upload_was_accepted_takes_nothing_back(platform: Platform) -> None:
    class Broken(MemoryDispatcher):
        def send(self, messages: Sequence[Message]) -> None:
            raise NextStreamError("a fault of the dispatcher's own")

    with pytest.raises(NextStreamError):
        receive(replace(platform, dispatcher=Broken()), b"film")
    video = only_video(platform)
    assert video.state is State.UPLOADED
    assert platform.storage.read(f"videos/{video.id}/source") == b"film"


def test_an_upload_whose_commit_got_no_answer_is_not_taken_for_a_failed_one(platform: Platform) -> None:
    class Silent:
        """Commits, and then loses the connection, once a video is uploaded."""

        @contextmanager
        def transaction(self) -> Iterator[Transaction]:
            with platform.database.transaction() as tx:
                yield tx
                pieces = tx.pieces.list(tx.videos.page(Wanted(), None, 1)[0].id, 1)
            if pieces and not lost:
                lost.append(True)
                raise DatabaseUnavailable

        def close(self) -> None:
            pass

    lost: list[bool] = []
    with pytest.raises(DatabaseUnavailable):
        receive(replace(platform, database=Silent()), b"film")
    video = only_video(platform)
    assert video.state is State.UPLOADED
    assert platform.storage.read(f"videos/{video.id}/source") == b"film"


@pytest.mark.parametrize(
    ("filename", "title", "wanted"),
    [
        ("clip.mp4", None, ("clip.mp4", "clip")),
        ("clip.mp4", "  Night  ", ("clip.mp4", "Night")),
        ("clip.mp4", "", ("clip.mp4", "clip")),
        ("clip", None, ("clip", "clip")),
        (".mp4", None, (".mp4", ".mp4")),
        ("", None, ("video", "video")),
        ("/home/ada/Films 1.2/clip.mp4", None, ("clip.mp4", "clip")),
        ("C:\\fakepath\\clip.mp4", None, ("clip.mp4", "clip")),
        ("films/", None, ("video", "video")),
        ("a\r\nb\x00\u202e.mp4", None, ("ab.mp4", "ab")),
        ("A\u0308.mp4", None, ("Ä.mp4", "Ä")),
        ("x" * 300 + ".mp4", "t" * 300, ("x" * 251 + ".mp4", "t" * 200)),
    ],
)
def test_names_are_kept_as_plain_text(
    platform: Platform, filename: str, title: str | None, wanted: tuple[str, str]
) -> None:
    video = receive(platform, b"film", filename=filename, title=title)
    assert (video.filename, video.title) == wanted


@pytest.mark.parametrize("name", ["filename", "title"])
def test_a_name_of_a_megabyte_holds_nobody_up(platform: Platform, name: str) -> None:
    """Its marks would be brought in order in a transaction, with all others waiting for it."""
    began = perf_counter()
    receive(platform, b"film", **{name: "a" + "\u0315" * 20000 + "\u0316" * 20000})
    assert perf_counter() - began < 1
