"""Files that clients send straight to S3, where something breaks off or two requests meet."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import requests

from nextstream import wiring
from nextstream.adapters.clock import HandClock
from nextstream.adapters.dispatch_memory import MemoryDispatcher
from nextstream.adapters.storage_s3 import S3Storage
from nextstream.domain.accounts import Account, Role
from nextstream.domain.uploading import Stage
from nextstream.errors import NotFound, StorageUnavailable, UploadTooLarge
from nextstream.ports import Platform, Upload
from nextstream.services import presigned, quotas, resumable

OWNER = Account("ada", "ada", "", Role.UPLOADER, HandClock().now())
PART = 5 * 1024**2


class Watched(S3Storage):
    """Calls `before_look` before the joined object is looked at."""

    before_look: Callable[[], None] = staticmethod(lambda: None)

    def stream(self, key: str, offset: int = 0, size_bytes: int | None = None) -> Iterator[bytes]:
        look, self.before_look = self.before_look, lambda: None
        look()
        return super().stream(key, offset, size_bytes)


@pytest.fixture
def storage(s3_url: str) -> Watched:
    return Watched.from_url(s3_url.replace("?", f"/{uuid.uuid4().hex}?"))


@pytest.fixture
def platform(storage: Watched) -> Platform:
    return wiring.in_memory(storage=storage, clock=HandClock(), dispatcher=MemoryDispatcher())


def send(platform: Platform, *bodies: bytes) -> Upload:
    upload = presigned.create(platform, OWNER, resumable.Wish(None))
    for number, body in enumerate(bodies, 1):
        answer = requests.put(presigned.sign(platform, upload, number), data=body, timeout=60)
        assert answer.status_code == 200
    return upload


def test_a_file_that_broke_off_behind_its_joining_can_be_completed_again(
    platform: Platform, storage: Watched
) -> None:
    body = os.urandom(PART + 9)
    upload = send(platform, body[:PART], body[PART:])

    def break_off() -> None:
        raise StorageUnavailable

    storage.before_look = break_off
    with pytest.raises(StorageUnavailable):
        presigned.complete(platform, upload)
    again = resumable.find(platform, OWNER, upload.id)
    assert presigned.complete(platform, again).stage is Stage.DONE
    assert storage.read(upload.key) == body


def test_two_files_completed_at_once_dont_fill_a_quota_twice(
    platform: Platform, storage: Watched
) -> None:
    tight = replace(platform, settings=replace(platform.settings, quota_bytes=150))
    first, second = send(tight, b"x" * 100), send(tight, b"y" * 100)

    def meet() -> None:
        with pytest.raises(UploadTooLarge):
            presigned.complete(tight, second)

    storage.before_look = meet
    assert presigned.complete(tight, first).stage is Stage.DONE
    assert quotas.stand(tight, OWNER)[1].size_bytes == 100


def test_a_request_that_another_one_was_faster_than_gets_its_answer(platform: Platform) -> None:
    upload = send(platform, b"film")
    presigned.complete(platform, upload)
    assert presigned.complete(platform, upload).stage is Stage.DONE  # it found it open


def test_the_parts_of_an_upload_that_comes_in_another_way_are_not_found(
    platform: Platform,
) -> None:
    upload = resumable.create(platform, OWNER, resumable.Wish(100))
    for act in (presigned.sent, presigned.complete, lambda *it: presigned.sign(*it, 1)):
        with pytest.raises(NotFound):
            act(platform, upload)
    assert resumable.find(platform, OWNER, upload.id).stage is Stage.OPEN
