"""How uploads end where something is away, or dies, between two steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pytest

from nextstream import wiring
from nextstream.adapters.clock import HandClock
from nextstream.adapters.dispatch_memory import MemoryDispatcher
from nextstream.adapters.multipart_memory import MemoryMultipart
from nextstream.adapters.storage_memory import MemoryStorage
from nextstream.domain.accounts import Account, Role
from nextstream.domain.uploading import Stage
from nextstream.domain.video import State
from nextstream.errors import NextStreamError, SourceNotVideo, StorageUnavailable
from nextstream.ports import Message, Parts, Platform, Upload
from nextstream.services import resumable, upload_ends
from nextstream.services.upload_leases import LEASE_S

OWNER = Account("ada", "ada", "", Role.UPLOADER, HandClock().now())
FILM = b"film" * 25


class Crash(BaseException):
    """The process is dead."""


class Multipart(MemoryMultipart):
    """Raises `fault`, where there is one, in place of each step."""

    fault: BaseException | None = None

    def append(
        self, key: str, parts: Parts, part_bytes: int, blocks: Iterable[bytes]
    ) -> Iterator[Parts]:
        self._fail()
        return super().append(key, parts, part_bytes, blocks)

    def abort(self, key: str, parts: Parts) -> None:
        self._fail()
        super().abort(key, parts)

    def bodies(self) -> int:
        """Count the objects in parts that are there."""
        return len(self._bodies)

    def _fail(self) -> None:
        if self.fault is not None:
            raise self.fault


class Dispatcher(MemoryDispatcher):
    """Dies where work is sent."""

    is_deadly = False

    def send(self, messages: Sequence[Message]) -> None:
        if self.is_deadly:
            raise Crash
        super().send(messages)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def dispatcher() -> Dispatcher:
    return Dispatcher()


@pytest.fixture
def multipart(storage: MemoryStorage) -> Multipart:
    made = Multipart(storage)
    storage.multipart = made
    return made


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def platform(
    storage: MemoryStorage,
    multipart: Multipart,
    clock: HandClock,
    dispatcher: Dispatcher,
) -> Platform:
    return wiring.in_memory(storage=storage, clock=clock, dispatcher=dispatcher)


def write(platform: Platform, upload: Upload, body: bytes = FILM) -> Upload:
    return resumable.write(platform, upload, 0, [body], len(body))


def partial(platform: Platform) -> Upload:
    wish = resumable.Wish(len(FILM), concat="partial")
    return write(platform, resumable.create(platform, OWNER, wish))


def join(platform: Platform, *parts: Upload) -> Upload:
    ids = tuple(part.id for part in parts)
    return resumable.create(platform, OWNER, resumable.Wish(None, concat="final;", partials=ids))


def now(platform: Platform, upload: Upload) -> Upload:
    with platform.database.transaction() as tx:
        return tx.uploads.get(upload.id)


def state(platform: Platform, upload: Upload) -> State:
    with platform.database.transaction() as tx:
        return tx.videos.get(upload.id).state


@pytest.mark.parametrize("fault", [StorageUnavailable(), Crash()])
def test_bytes_that_couldnt_be_removed_with_their_upload_go_later(
    platform: Platform, multipart: Multipart, clock: HandClock, fault: BaseException
) -> None:
    upload = write(platform, resumable.create(platform, OWNER, resumable.Wish(1000)))
    multipart.fault = fault
    try:
        resumable.terminate(platform, upload)
    except Crash:
        clock.advance(LEASE_S + 1)
    assert state(platform, upload) is State.CANCELLED
    multipart.fault = None
    upload_ends.expire(platform)
    assert now(platform, upload).stage is Stage.GONE
    assert multipart.bodies() == 0


def test_what_is_no_video_is_told_though_its_bytes_cant_be_removed(
    platform: Platform, multipart: Multipart
) -> None:
    def blocks() -> Iterator[bytes]:
        multipart.fault = StorageUnavailable()
        yield b"%PDF-1.7"

    upload = resumable.create(platform, OWNER, resumable.Wish(1000))
    with pytest.raises(SourceNotVideo):
        resumable.write(platform, upload, 0, blocks(), None)


def test_partial_uploads_leave_nothing_though_the_server_dies_behind_the_last_commit(
    platform: Platform, storage: MemoryStorage, clock: HandClock, dispatcher: Dispatcher
) -> None:
    parts = [partial(platform), partial(platform)]
    dispatcher.is_deadly = True
    with pytest.raises(Crash):
        join(platform, *parts)
    dispatcher.is_deadly = False
    clock.advance(LEASE_S + 1)
    upload_ends.expire(platform)
    assert {now(platform, part).stage for part in parts} == {Stage.GONE}
    (source,) = storage.list("")
    assert storage.read(source.key) == 2 * FILM


def test_a_video_fails_whose_partial_uploads_went_before_it_was_put_together(
    platform: Platform, multipart: Multipart
) -> None:
    part = partial(platform)
    multipart.fault = StorageUnavailable()
    first, second = join(platform, part), join(platform, part)
    assert (first.stage, second.stage) == (Stage.COMPLETING, Stage.COMPLETING)
    multipart.fault = None
    upload_ends.expire(platform)
    upload_ends.expire(platform)
    states = {state(platform, first), state(platform, second)}
    assert states == {State.UPLOADED, State.FAILED}
    assert {now(platform, each).stage for each in (first, second)} == {Stage.DONE, Stage.GONE}
    assert upload_ends.expire(platform) == 0


def test_an_upload_whose_bytes_are_lost_fails_when_its_time_is_over(
    platform: Platform, storage: MemoryStorage, clock: HandClock
) -> None:
    part = partial(platform)
    storage.remove(part.key)
    with pytest.raises(NextStreamError):
        join(platform, part)
    (upload,) = _completing(platform)
    upload_ends.expire(platform)
    assert state(platform, upload) is State.UPLOADING  # the storage may only not be mounted
    clock.advance(platform.settings.upload_expires_s + 1)
    upload_ends.expire(platform)
    assert state(platform, upload) is State.FAILED


def _completing(platform: Platform) -> list[Upload]:
    with platform.database.transaction() as tx:
        due = tx.uploads.due(platform.clock.now(), 9)
    return [upload for upload in due if upload.stage is Stage.COMPLETING]
