from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import boto3
import pytest
import structlog
from botocore.client import Config
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from nextstream.adapters import s3_errors, s3_parts
from nextstream.adapters.s3_parts import PART_BYTES
from nextstream.adapters.storage_s3 import S3Storage
from nextstream.errors import Misconfigured, ObjectNotFound, StorageError, StorageUnavailable
from tests import servers

TYPE = "video/mp4"


@pytest.fixture
def url(s3_url: str) -> str:
    return s3_url.replace("?", f"/{uuid.uuid4().hex}?")


@pytest.fixture
def storage(url: str) -> S3Storage:
    return S3Storage.from_url(url)


def hasty(endpoint: str, read_timeout_s: float = 0.5) -> Any:
    """Give a client that neither waits nor tries again."""
    config = Config(
        connect_timeout=0.5,
        read_timeout=read_timeout_s,
        retries={"total_max_attempts": 1},
        s3={"addressing_style": "path"},
    )
    return boto3.session.Session().client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", config=config
    )


def endpoint_of(url: str) -> str:
    return url.partition("endpoint=")[2].partition("&")[0]


def unfinished(storage: S3Storage) -> list[str]:
    found = storage._client.list_multipart_uploads(Bucket="media").get("Uploads", [])
    return [upload["Key"] for upload in found if upload["Key"].startswith(storage._prefix)]


@pytest.mark.parametrize(
    "url", ["s3:///prefix", "s3://bucket?end=x", "s3://key:secret@bucket", "s3://bucket?endpoint=x&a=b"]
)
def test_a_url_that_is_not_understood_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(Misconfigured, match="must look like s3://bucket") as refused:
        S3Storage.from_url(url)
    assert "secret" not in str(refused.value)


def test_a_url_may_leave_out_all_but_the_bucket() -> None:
    storage = S3Storage.from_url("s3://some-bucket")
    assert storage._name("a") == {"Bucket": "some-bucket", "Key": "a"}


@pytest.mark.parametrize("prefix", ["my%20prefix/deep", "/my%20prefix/deep/"])
def test_a_prefix_stands_before_every_key(prefix: str) -> None:
    storage = S3Storage.from_url(f"s3://some-bucket/{prefix}?region=eu-central-1")
    assert storage._name("a")["Key"] == "my prefix/deep/a"


def test_storages_with_other_prefixes_do_not_meet(s3_url: str) -> None:
    name = uuid.uuid4().hex
    one, other = (S3Storage.from_url(s3_url.replace("?", f"/{end}?")) for end in (name, f"{name}2"))
    one.put("a", b"one", TYPE)
    other.put("a", b"other", TYPE)
    assert [found.key for found in one.list("")] == ["a"]
    assert one.remove("") == 1
    assert other.read("a") == b"other"


def test_an_object_keeps_its_type(storage: S3Storage) -> None:
    storage.put("small", b"x", TYPE)
    storage.write("large", [bytes(2 * PART_BYTES)], "video/webm")
    types = [
        storage._client.head_object(**storage._name(key))["ContentType"] for key in ("small", "large")
    ]
    assert types == [TYPE, "video/webm"]


@pytest.mark.parametrize("block_bytes", [1_000_003, PART_BYTES, 3 * PART_BYTES + 1])
def test_all_parts_but_the_last_have_the_same_size(block_bytes: int) -> None:
    body = os.urandom(1024) * (3 * 8 * 1024) + b"tail"
    blocks = (body[at : at + block_bytes] for at in range(0, len(body), block_bytes))
    parts = list(s3_parts.gather(blocks))
    assert [size_bytes for _, size_bytes in parts] == [PART_BYTES] * 3 + [4]
    assert b"".join(part.read() for part, _ in parts) == body


def test_what_waits_for_the_rest_of_its_part_waits_on_the_disk() -> None:
    """Hundreds of slow uploads may be about to fill a part."""
    part, _ = next(s3_parts.gather([bytes(64 * 1024)] * 128))
    assert part._rolled  # type: ignore[attr-defined]  # as SpooledTemporaryFile calls it


def test_nothing_makes_no_part() -> None:
    assert list(s3_parts.gather([b"", b""])) == []


def test_the_parts_grow_so_that_ten_thousand_hold_any_upload() -> None:
    sizes = [s3_parts.size_of(number) for number in range(10_000)]
    assert sizes[0] == sizes[1999] == PART_BYTES
    assert sizes == sorted(sizes)
    assert sum(sizes) > 400 * 1024**3
    assert sizes[-1] <= 128 * 1024**2


def test_parts_grow_as_they_are_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_parts, "PART_BYTES", 10)
    monkeypatch.setattr(s3_parts, "PARTS_OF_A_SIZE", 2)
    sizes = [size_bytes for _, size_bytes in s3_parts.gather([bytes(75)])]
    assert sizes == [10, 10, 20, 20, 15]


def test_an_upload_that_fails_leaves_no_parts(storage: S3Storage) -> None:
    def blocks() -> Iterator[bytes]:
        for _ in range(3):
            yield bytes(PART_BYTES)
        assert len(unfinished(storage)) == 1
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        storage.write("a", blocks(), TYPE)
    assert unfinished(storage) == []


def test_an_upload_whose_blocks_are_ended_by_force_leaves_no_parts(storage: S3Storage) -> None:
    def blocks() -> Iterator[bytes]:
        for _ in range(3):
            yield bytes(PART_BYTES)
        raise SystemExit

    with pytest.raises(SystemExit):
        storage.write("a", blocks(), TYPE)
    assert unfinished(storage) == []


def test_a_storage_that_goes_away_during_an_upload_is_told_and_so_are_the_parts_it_keeps(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with servers.rclone_s3(tmp_path_factory.mktemp("s3")) as url:
        storage = S3Storage(hasty(endpoint_of(url)), "media")
        server = servers.frozen(url)

        def blocks() -> Iterator[bytes]:
            for _ in range(2):
                yield bytes(PART_BYTES)
            server.__enter__()
            for _ in range(2):
                yield bytes(PART_BYTES)

        with structlog.testing.capture_logs() as lines, pytest.raises(StorageUnavailable):
            storage.write("a", blocks(), TYPE)
        server.__exit__(None, None, None)
    assert [(line["log_level"], line["key"]) for line in lines] == [("warning", "a")]


_WRITE = """
import resource, sys
from nextstream.adapters.storage_s3 import S3Storage
storage = S3Storage.from_url(sys.argv[1])
storage.put("small", b"x", "video/mp4")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
stored = storage.write("large", (bytes(65536) for _ in range(16 * 200)), "video/mp4")
for block in storage.stream("large"): pass
print(stored.size_bytes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_large_object_needs_little_memory(url: str) -> None:
    done = subprocess.run([sys.executable, "-c", _WRITE, url], check=True, capture_output=True)
    size_bytes, grown_kib = map(int, done.stdout.split())
    assert size_bytes == 200 * 1024**2
    assert grown_kib < 64 * 1024


def test_an_upload_whose_last_answer_was_lost_is_found_done(storage: S3Storage) -> None:
    rival = hasty(storage._client.meta.endpoint_url)

    def complete_first(params: dict[str, Any], **_: Any) -> None:
        rival.complete_multipart_upload(**params)

    storage._client.meta.events.register(
        "provide-client-params.s3.CompleteMultipartUpload", complete_first
    )
    stored = storage.write("a", [bytes(2 * PART_BYTES)], TYPE)
    assert (stored.size_bytes, stored.etag) == (2 * PART_BYTES, storage.head("a").etag)


def test_an_upload_that_someone_took_away_is_not_found_done(storage: S3Storage) -> None:
    rival = hasty(storage._client.meta.endpoint_url)

    def abort_first(params: dict[str, Any], **_: Any) -> None:
        rival.abort_multipart_upload(**{name: params[name] for name in ("Bucket", "Key", "UploadId")})

    storage.put("a", b"an older object", TYPE)
    storage._client.meta.events.register("provide-client-params.s3.CompleteMultipartUpload", abort_first)
    with pytest.raises(StorageError):
        storage.write("a", [bytes(2 * PART_BYTES)], TYPE)


def test_a_missing_bucket_is_told_and_can_be_made(s3_url: str) -> None:
    storage = S3Storage.from_url(s3_url.replace("media", f"b{uuid.uuid4().hex}"))
    with pytest.raises(StorageError, match="no such bucket"):
        storage.put("a", b"x", TYPE)
    storage.ensure_bucket()
    storage.ensure_bucket()
    storage.put("a", b"x", TYPE)


@pytest.mark.parametrize(
    ("region", "place"),
    [
        ("us-east-1", {}),
        ("eu-west-1", {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}),
    ],
)
def test_a_bucket_is_made_in_its_region(region: str, place: dict[str, Any]) -> None:
    assert S3Storage.from_url(f"s3://some-bucket?region={region}")._place() == place


def test_wrong_keys_are_told_with_what_to_do(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StorageError, match="check AWS_ACCESS_KEY_ID") as refused:
        S3Storage.from_url(url).put("a", b"x", TYPE)
    assert "wrong" not in str(refused.value)


def test_no_keys_are_told_with_what_to_do(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in servers.S3_KEYS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    with pytest.raises(StorageError, match="check AWS_ACCESS_KEY_ID"):
        S3Storage.from_url(url).put("a", b"x", TYPE)


def test_a_storage_that_cannot_be_reached_is_unavailable(s3_url: str) -> None:
    storage = S3Storage(hasty(f"http://127.0.0.1:{servers.free_port()}"), "media")
    for use in (
        lambda: storage.head("a"),
        lambda: storage.put("a", b"", TYPE),
        lambda: storage.remove("a"),
    ):
        with pytest.raises(StorageUnavailable):
            use()


def test_a_storage_that_stops_answering_in_the_middle_is_unavailable(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with servers.rclone_s3(tmp_path_factory.mktemp("s3")) as url:
        storage = S3Storage(hasty(endpoint_of(url)), "media")
        storage.write("a", [bytes(5 * PART_BYTES)], TYPE)
        blocks = storage.stream("a")
        next(blocks)
        with servers.frozen(url), pytest.raises(StorageUnavailable):
            list(blocks)


def test_a_slow_line_may_take_longer_to_send_than_to_connect(s3_url: str) -> None:
    port = int(endpoint_of(s3_url).rpartition(":")[2])
    with socket.create_server(("127.0.0.1", 0)) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        Thread(target=_pass_slowly, args=[line, port], daemon=True).start()
        client = hasty(f"http://127.0.0.1:{line.getsockname()[1]}", read_timeout_s=20)
        begun = time.monotonic()
        S3Storage(client, "media").write("slow", [bytes(PART_BYTES)], TYPE)
        assert time.monotonic() - begun > 2 * client.meta.config.connect_timeout  # or it proves nothing


def _pass_slowly(line: socket.socket, port: int) -> None:
    client, _ = line.accept()
    with client, socket.create_connection(("127.0.0.1", port)) as server:
        Thread(target=_pass_back, args=[server, client], daemon=True).start()
        while data := client.recv(65536):
            server.sendall(data)
            time.sleep(0.02)


def _pass_back(server: socket.socket, client: socket.socket) -> None:
    with suppress(OSError):
        while data := server.recv(65536):
            client.sendall(data)


@pytest.mark.parametrize(
    ("http_status", "code", "expected", "sentence"),
    [
        (404, "NoSuchKey", ObjectNotFound, "no object"),
        (404, "404", ObjectNotFound, "no object"),
        (404, "NoSuchBucket", StorageError, "no such bucket"),
        (404, "NoSuchUpload", StorageError, "didn't do"),
        (403, "AccessDenied", StorageError, "refuses"),
        (403, "403", StorageError, "refuses"),
        (400, "ExpiredToken", StorageError, "refuses"),
        (400, "EntityTooLarge", StorageError, "didn't do"),
        (400, "RequestTimeout", StorageUnavailable, "reached"),
        (503, "SlowDown", StorageUnavailable, "reached"),
        (500, "InternalError", StorageUnavailable, "reached"),
        (502, "502", StorageUnavailable, "reached"),
    ],
)
def test_each_answer_of_s3_is_one_of_our_errors(
    http_status: int, code: str, expected: type[StorageError], sentence: str
) -> None:
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": http_status}}
    error = s3_errors.translate(ClientError(answer, "Any"), "videos/1")  # type: ignore[arg-type]
    assert type(error) is expected
    assert sentence in error.message
    assert "videos/1" in str(error)


def test_objects_that_stay_in_spite_of_a_remove_are_told() -> None:
    client = hasty("http://127.0.0.1:9")
    with Stubber(client) as s3:
        s3.add_response("list_objects_v2", {"Contents": [{"Key": "a", "Size": 1}]})
        s3.add_response("delete_objects", {"Errors": [{"Key": "a", "Code": "InternalError"}]})
        with pytest.raises(StorageError, match="didn't remove all"):
            S3Storage(client, "media").remove("")


def test_an_empty_run_is_not_asked_for_since_no_range_can_say_it() -> None:
    client = hasty("http://127.0.0.1:9")
    with Stubber(client) as s3:
        head = {"ContentLength": 9, "ETag": '"e"', "LastModified": datetime(2030, 1, 1, tzinfo=UTC)}
        s3.add_response("head_object", head)
        assert list(S3Storage(client, "media").stream("a", 3, 0)) == []


def test_a_signed_url_lives_as_long_as_asked_and_s3_allows(storage: S3Storage) -> None:
    assert "X-Amz-Expires=90&" in storage.locate("a", 90)
    assert "X-Amz-Expires=604800&" in storage.locate("a", 10**7)
