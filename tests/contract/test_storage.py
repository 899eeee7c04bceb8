"""What every storage keeps to."""

from __future__ import annotations

import os
import threading
import urllib.request
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nextstream.adapters.s3_parts import PART_BYTES
from nextstream.adapters.storage_local import LocalStorage
from nextstream.adapters.storage_memory import MemoryStorage
from nextstream.adapters.storage_s3 import S3Storage
from nextstream.adapters.storage_split import SplitStorage
from nextstream.errors import ObjectNotFound
from nextstream.ports import Storage

TYPE = "video/mp4"


@pytest.fixture(params=["memory", "local", "s3", "split"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "memory":
        return MemoryStorage()
    if request.param == "split":
        return SplitStorage(MemoryStorage(), MemoryStorage())
    if request.param == "local":
        return LocalStorage.from_url((tmp_path / "a folder #1").as_uri())
    url: str = request.getfixturevalue("s3_url")
    return S3Storage.from_url(url.replace("?", f"/{uuid.uuid4().hex}?"))


def keys(storage: Storage, prefix: str = "") -> list[str]:
    return [found.key for found in storage.list(prefix)]


def test_what_is_written_is_read_back(storage: Storage) -> None:
    storage.write("videos/1/source", iter([b"one", b"", b"two"]), TYPE)
    assert storage.read("videos/1/source") == b"onetwo"


@pytest.mark.parametrize("size_bytes", [0, 1, PART_BYTES - 1, PART_BYTES, 2 * PART_BYTES + 1])
def test_objects_of_any_size_are_whole(storage: Storage, size_bytes: int) -> None:
    body = os.urandom(size_bytes)
    blocks = (body[at : at + 1_000_003] for at in range(0, size_bytes, 1_000_003))
    stored = storage.write("a", blocks, TYPE)
    assert stored.size_bytes == storage.head("a").size_bytes == size_bytes
    assert storage.read("a") == body


def test_a_small_object_may_be_put_twice(storage: Storage) -> None:
    storage.put("a", b"old and long", TYPE)
    storage.put("a", b"new", TYPE)
    assert storage.read("a") == b"new"
    assert keys(storage) == ["a"]


def test_an_object_is_described_alike_by_whom_one_asks(storage: Storage) -> None:
    stored = storage.put("videos/1/a.m4s", b"12345", TYPE)
    head, (listed,) = storage.head("videos/1/a.m4s"), storage.list("videos/")
    for found in (stored, head, listed):
        assert (found.key, found.size_bytes, found.etag) == ("videos/1/a.m4s", 5, stored.etag)
        assert abs(datetime.now(UTC) - found.modified_at) < timedelta(seconds=5)
    assert stored.etag
    assert '"' not in stored.etag


def test_the_etag_changes_with_the_bytes(storage: Storage) -> None:
    etags = [storage.put("a", body, TYPE).etag for body in (b"one", b"two", b"six", b"ten")]
    assert len(set(etags)) == 4
    assert storage.head("a").etag == etags[-1]


def test_blocks_that_raise_leave_nothing_and_tell_why(storage: Storage) -> None:
    with pytest.raises(ConnectionResetError):
        storage.write("a", _broken(b"x" * 10), TYPE)
    assert keys(storage) == []


def test_blocks_that_raise_late_leave_the_older_object(storage: Storage) -> None:
    storage.put("a", b"old", TYPE)
    with pytest.raises(ConnectionResetError):
        storage.write("a", _broken(*[b"x" * PART_BYTES] * 3), TYPE)
    assert storage.read("a") == b"old"


def _broken(*blocks: bytes) -> Iterator[bytes]:
    yield from blocks
    raise ConnectionResetError("the uploader went away")


def test_an_object_is_not_there_before_its_last_block(storage: Storage) -> None:
    def blocks() -> Iterator[bytes]:
        for _ in range(3):
            yield b"x" * PART_BYTES
            assert keys(storage) == []

    storage.write("a", blocks(), TYPE)
    assert keys(storage) == ["a"]


def test_a_reader_keeps_the_bytes_it_began_with(storage: Storage) -> None:
    storage.put("a", b"old" * 1000, TYPE)
    blocks = storage.stream("a")
    storage.put("a", b"new" * 1000, TYPE)
    assert b"".join(blocks) == b"old" * 1000


@pytest.mark.parametrize(
    ("offset", "size_bytes", "expected"),
    [
        (0, None, b"0123456789"),
        (0, 10, b"0123456789"),
        (3, None, b"3456789"),
        (3, 4, b"3456"),
        (9, 1, b"9"),
        (3, 100, b"3456789"),
        (3, 0, b""),
        (10, None, b""),
        (11, 5, b""),
    ],
)
def test_a_run_of_bytes_is_read(
    storage: Storage, offset: int, size_bytes: int | None, expected: bytes
) -> None:
    storage.put("a", b"0123456789", TYPE)
    assert b"".join(storage.stream("a", offset, size_bytes)) == expected


@pytest.mark.parametrize("size_bytes", [None, 0, 5])
def test_an_empty_object_has_no_bytes_to_read(storage: Storage, size_bytes: int | None) -> None:
    storage.put("a", b"", TYPE)
    assert b"".join(storage.stream("a", 0, size_bytes)) == b""


def test_a_large_run_comes_in_blocks(storage: Storage) -> None:
    body = os.urandom(3_000_000)
    storage.put("a", body, TYPE)
    blocks = list(storage.stream("a", 1_000_000, 1_500_000))
    assert b"".join(blocks) == body[1_000_000:2_500_000]
    assert max(map(len, blocks)) <= 256 * 1024


def test_a_stream_may_be_left_early(storage: Storage) -> None:
    storage.put("a", os.urandom(3_000_000), TYPE)
    blocks = storage.stream("a")
    next(blocks)
    del blocks
    storage.stream("a")  # nor need it be begun
    assert storage.remove("a") == 1


@pytest.mark.parametrize("size_bytes", [None, 0, 1])
def test_a_missing_object_is_told_before_the_first_block(
    storage: Storage, size_bytes: int | None
) -> None:
    with pytest.raises(ObjectNotFound):
        storage.stream("none", 0, size_bytes)


def test_a_missing_object_is_told(storage: Storage) -> None:
    storage.put("videos/1/source", b"x", TYPE)
    for absent in ("none", "videos/1", "videos/1/source/deeper", "videos"):
        with pytest.raises(ObjectNotFound):
            storage.head(absent)
        with pytest.raises(ObjectNotFound):
            storage.read(absent)


def test_a_listing_is_in_order_of_the_keys(storage: Storage) -> None:
    named = ["p/a-b", "p/a.z", "p/a/x", "p/a/y/1", "p/a0", "p/B", "p/ä", "q"]
    for key in reversed(named):
        storage.put(key, b"x", TYPE)
    assert keys(storage) == sorted(named)


def test_a_prefix_is_the_start_of_a_key_whether_or_not_a_folder(storage: Storage) -> None:
    for key in ("videos/a/1", "videos/a/2", "videos/ab/1", "videos/b", "video"):
        storage.put(key, b"x", TYPE)
    assert keys(storage, "videos/a/") == ["videos/a/1", "videos/a/2"]
    assert keys(storage, "videos/a") == ["videos/a/1", "videos/a/2", "videos/ab/1"]
    assert keys(storage, "videos/a/2") == ["videos/a/2"]
    assert keys(storage, "videos/c") == keys(storage, "/") == keys(storage, "videos/b/") == []


def test_remove_takes_what_starts_with_the_prefix_and_no_more(storage: Storage) -> None:
    for key in ("videos/a/1", "videos/a/v1/2", "videos/ab/1"):
        storage.put(key, b"x", TYPE)
    assert storage.remove("videos/a/") == 2
    assert keys(storage) == ["videos/ab/1"]
    assert storage.remove("videos/a/") == 0
    assert storage.remove("videos/a") == 1
    assert keys(storage) == []


def test_a_removed_key_can_be_written_again(storage: Storage) -> None:
    for _ in range(3):
        storage.put("videos/a/v1/1", b"x", TYPE)
        assert storage.remove("videos/a/") == 1
    storage.put("videos/a", b"now an object", TYPE)
    assert keys(storage) == ["videos/a"]


def test_more_objects_than_a_page_are_listed_and_removed(storage: Storage) -> None:
    named = [f"many/{number:05d}" for number in range(1005)]
    for key in named:
        storage.put(key, b"", TYPE)
    assert keys(storage, "many/") == named
    assert storage.remove("many/") == len(named)
    assert keys(storage) == []


@pytest.mark.parametrize(
    "key",
    [
        *("", "/", "/etc/passwd", "..", "../a", "a/../b", "a/..", "a/./b", "a//b", "a/"),
        *(".incoming/a", "a/.hidden", "a\\..\\b", "a\0b", "a\udcff"),
        *("x" * 256, "/".join(["x" * 200] * 6)),
    ],
)
def test_a_key_that_leads_elsewhere_is_no_object(storage: Storage, key: str) -> None:
    for use in (
        lambda: storage.write(key, [b"x"], TYPE),
        lambda: storage.put(key, b"x", TYPE),
        lambda: storage.read(key),
        lambda: storage.stream(key),
        lambda: storage.stream(key, 0, 0),
        lambda: storage.head(key),
        lambda: storage.locate(key, 60),
    ):
        with pytest.raises(ObjectNotFound):
            use()


@pytest.mark.parametrize("prefix", ["../", "..", "/", "a/../", "/etc/", ".", "./"])
def test_a_prefix_that_leads_elsewhere_has_no_objects(storage: Storage, prefix: str) -> None:
    storage.put("a/b", b"x", TYPE)
    assert keys(storage, prefix) == []
    assert storage.remove(prefix) == 0


def test_an_object_is_read_by_range_from_where_it_is_located(storage: Storage) -> None:
    storage.put("videos/1/a b?#%.mp4", b"0123456789", TYPE)
    place = storage.locate("videos/1/a b?#%.mp4", 60)
    assert _read_range(place, 3, 4) == b"3456"


def _read_range(place: str, offset: int, size_bytes: int) -> bytes:
    if place.startswith("memory:"):
        assert place == "memory:videos/1/a b?#%.mp4"
        return b"3456"
    if place.startswith("/"):
        return Path(place).read_bytes()[offset : offset + size_bytes]
    run = {"Range": f"bytes={offset}-{offset + size_bytes - 1}"}
    with urllib.request.urlopen(urllib.request.Request(place, headers=run)) as answer:
        assert answer.headers["Content-Range"].startswith(f"bytes {offset}-")
        return bytes(answer.read())


def test_writers_at_the_same_time_each_store_a_whole_object(storage: Storage) -> None:
    def write(number: int) -> None:
        for _ in range(5):
            storage.write("videos/same", [bytes([number])] * 1000, TYPE)
            storage.put(f"videos/{number}/a", b"x", TYPE)
            storage.remove(f"videos/{number}/")

    writers = [threading.Thread(target=write, args=[number]) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    body = storage.read("videos/same")
    assert len(body) == 1000
    assert len(set(body)) == 1
    assert set(keys(storage)) == {"videos/same"}  # rclone may list such a key twice
