"""What every storage does with objects that come in parts."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from nextstream.adapters.storage_local import LocalStorage
from nextstream.adapters.storage_memory import MemoryStorage
from nextstream.adapters.storage_s3 import S3Storage
from nextstream.errors import ObjectNotFound
from nextstream.ports import Parts, Storage

PART = 5 * 1024**2  # the least that S3 takes
KEY = "videos/1/source"


@pytest.fixture(params=["memory", "local", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "memory":
        return MemoryStorage()
    if request.param == "local":
        return LocalStorage.from_url((tmp_path / "a folder #1").as_uri())
    url: str = request.getfixturevalue("s3_url")
    return S3Storage.from_url(url.replace("?", f"/{uuid.uuid4().hex}?"))


def blocks(body: bytes, size: int = 1_000_003) -> Iterator[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size))


def grow(storage: Storage, parts: Parts, body: bytes) -> list[Parts]:
    return list(storage.multipart.append(KEY, parts, PART, blocks(body)))


@pytest.mark.parametrize("size", [1, PART - 1, PART, PART + 1, 2 * PART, 3 * PART + 7])
def test_an_object_is_whole_whatever_its_size(storage: Storage, size: int) -> None:
    body = os.urandom(size)
    parts = grow(storage, Parts(), body)[-1]
    assert parts.size_bytes == size
    stored = storage.multipart.complete(KEY, parts)
    assert (stored.key, stored.size_bytes) == (KEY, size)
    assert storage.read(KEY) == body
    assert [found.key for found in storage.list("")] == [KEY]


def test_an_empty_object_can_be_completed(storage: Storage) -> None:
    grown = grow(storage, Parts(), b"")
    assert storage.multipart.complete(KEY, grown[-1] if grown else Parts()).size_bytes == 0


@pytest.mark.parametrize("cuts", [(1,), (PART,), (PART - 1, PART + 1), (7, 8, 2 * PART, 2 * PART + 1)])
def test_it_may_come_in_any_runs(storage: Storage, cuts: tuple[int, ...]) -> None:
    body, parts = os.urandom(2 * PART + 100), Parts()
    for start, end in zip((0, *cuts), (*cuts, len(body)), strict=True):
        parts = grow(storage, parts, body[start:end])[-1]
        assert parts.size_bytes == end
    storage.multipart.complete(KEY, parts)
    assert storage.read(KEY) == body


def test_what_is_durable_only_grows(storage: Storage) -> None:
    sizes = [parts.size_bytes for parts in grow(storage, Parts(), os.urandom(4 * PART + 1))]
    assert sizes == sorted(sizes)
    assert sizes[-1] == 4 * PART + 1


def test_the_same_bytes_are_written_again_after_a_crash(storage: Storage) -> None:
    body, parts = os.urandom(5 * PART + 9), Parts()
    parts = grow(storage, parts, body)[-2]  # all is written, and the last step isn't noted
    grow(storage, parts, body[parts.size_bytes :])  # and once more, with nothing noted at all
    parts = grow(storage, parts, body[parts.size_bytes :])[-1]
    storage.multipart.complete(KEY, parts)
    assert storage.read(KEY) == body


def test_bytes_that_were_not_noted_are_no_part_of_the_object(storage: Storage) -> None:
    noted = grow(storage, Parts(), b"noted")[-1]
    grow(storage, noted, b"x" * 100)
    storage.multipart.complete(KEY, grow(storage, noted, b" end")[-1])
    assert storage.read(KEY) == b"noted end"


def test_blocks_that_raise_leave_what_was_given_true(storage: Storage) -> None:
    body, seen = os.urandom(PART), [Parts()]

    def broken() -> Iterator[bytes]:
        yield from blocks(body)
        yield b"more"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        seen.extend(storage.multipart.append(KEY, Parts(), PART, broken()))
    rest = body[seen[-1].size_bytes :] + b"end"
    storage.multipart.complete(KEY, grow(storage, seen[-1], rest)[-1])
    assert storage.read(KEY) == body + b"end"


@pytest.mark.parametrize("size", [10, 2 * PART + 1])
def test_it_may_be_completed_twice(storage: Storage, size: int) -> None:
    body = os.urandom(size)
    parts = grow(storage, Parts(), body)[-1]
    for _ in range(2):
        assert storage.multipart.complete(KEY, parts).size_bytes == size
    assert storage.read(KEY) == body


@pytest.mark.parametrize("size", [10, 2 * PART + 1])
def test_what_was_aborted_is_gone_and_may_be_aborted_twice(storage: Storage, size: int) -> None:
    parts = grow(storage, Parts(), os.urandom(size))[-1]
    for _ in range(2):
        storage.multipart.abort(KEY, parts)
    with pytest.raises(ObjectNotFound):
        storage.multipart.complete(KEY, parts)
    assert list(storage.list("")) == []


def test_an_object_is_not_there_before_it_is_complete(storage: Storage) -> None:
    grow(storage, Parts(), os.urandom(2 * PART))
    with pytest.raises(ObjectNotFound):
        storage.head(KEY)


def test_uploads_of_different_keys_keep_apart(storage: Storage) -> None:
    one = grow(storage, Parts(), b"one")[-1]
    other = list(storage.multipart.append("videos/2/source", Parts(), PART, [b"other"]))[-1]
    storage.multipart.complete(KEY, one)
    storage.multipart.complete("videos/2/source", other)
    assert (storage.read(KEY), storage.read("videos/2/source")) == (b"one", b"other")
