from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests

from nextstream.adapters.storage_s3 import S3Storage
from nextstream.errors import StorageUnavailable
from tests import faults
from tests.faults import Faults, Proxy

BODY = bytes(range(256)) * 4096


@pytest.fixture
def proxy(s3_url: str) -> Iterator[Proxy]:
    with faults.proxied(s3_url) as proxy:
        yield proxy


@pytest.fixture
def storage(proxy: Proxy) -> S3Storage:
    return S3Storage.from_url(proxy.url)


def test_without_faults_everything_passes_and_is_counted(proxy: Proxy, storage: S3Storage) -> None:
    storage.put("faults/one", BODY, "video/mp4")
    assert storage.read("faults/one") == BODY
    assert b"".join(storage.stream("faults/one", 100, 50)) == BODY[100:150]
    assert [one.key for one in storage.list("faults/")] == ["faults/one"]
    (put,) = proxy.of("PUT", "faults/one")
    whole, part = proxy.of("GET", "faults/one")
    assert (put.taken_bytes, whole.given_bytes) == (len(BODY), len(BODY))
    assert (part.span, part.given_bytes) == ("bytes=100-149", 50)


def test_large_objects_pass_in_their_parts(storage: S3Storage) -> None:
    blocks = [BODY] * 10
    assert storage.write("faults/large", iter(blocks), "video/mp4").size_bytes == 10 * len(BODY)
    assert storage.read("faults/large") == b"".join(blocks)


def test_a_refused_request_is_answered_that_the_server_is_busy(proxy: Proxy, storage: S3Storage) -> None:
    proxy.faults = Faults(refused=1)
    with pytest.raises(StorageUnavailable, match="SlowDown"):
        storage.put("faults/refused", BODY, "video/mp4")
    assert {one.status for one in proxy.of("PUT", "faults/refused")} == {503}
    proxy.faults = Faults()
    storage.put("faults/refused", BODY, "video/mp4")


def test_a_cut_takes_a_part_of_an_answer(proxy: Proxy, storage: S3Storage) -> None:
    storage.put("faults/cut", BODY, "video/mp4")
    url = storage.locate("faults/cut", 60)
    proxy.faults = Faults(cut=1)
    with pytest.raises(requests.RequestException):
        requests.get(url, timeout=5)
    (cut,) = proxy.of("GET", "faults/cut")
    assert cut.given_bytes < len(BODY)


def test_a_cut_of_a_write_may_leave_it_done_or_not(proxy: Proxy, storage: S3Storage) -> None:
    proxy.faults = Faults(cut=1)
    for name in range(6):
        with pytest.raises(StorageUnavailable):
            storage.put(f"faults/write-{name}", BODY, "video/mp4")
    proxy.faults = Faults()
    stored = list(storage.list("faults/write-"))
    assert all(one.size_bytes == len(BODY) for one in stored)
    assert len(stored) > 0


def test_a_delay_delays(proxy: Proxy, storage: S3Storage) -> None:
    storage.put("faults/slow", b"slow", "video/mp4")
    proxy.faults = Faults(delay_s=0.2)
    begun = time.monotonic()
    for _ in range(10):
        storage.head("faults/slow")
    assert time.monotonic() - begun > 0.2
