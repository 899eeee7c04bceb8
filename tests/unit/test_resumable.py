"""Rules of uploads in parts that need no web server: quotas, expiry, cancelled videos."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from nextstream import wiring
from nextstream.adapters.clock import HandClock
from nextstream.adapters.dispatch_memory import MemoryDispatcher
from nextstream.domain import sniffing, uploading
from nextstream.domain.accounts import Account, Role
from nextstream.domain.uploading import MIB, Stage
from nextstream.domain.video import State, Video
from nextstream.errors import (
    BadRequest,
    NextStreamError,
    QuotaExceeded,
    TooManyUploads,
    UploadGone,
    UploadTooLarge,
)
from nextstream.ports import Platform, Upload
from nextstream.services import (
    direct_uploads,
    encodes,
    library,
    quotas,
    resumable,
    upload_ends,
    uploads,
)

OWNER = Account("ada", "ada", "", Role.UPLOADER, datetime(2030, 1, 1, tzinfo=UTC))
FILM = b"film" * 25


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def platform(clock: HandClock) -> Platform:
    return wiring.in_memory(clock=clock, dispatcher=MemoryDispatcher())


def limited(platform: Platform, **settings: int) -> Platform:
    return replace(platform, settings=replace(platform.settings, **settings))


def create(platform: Platform, length: int | None = len(FILM), **wish: object) -> Upload:
    return resumable.create(platform, OWNER, resumable.Wish(length, "a.mp4", **wish))  # type: ignore[arg-type]


def write(platform: Platform, upload: Upload, offset: int, body: bytes) -> Upload:
    return resumable.write(platform, upload, offset, [body], len(body))


def video(platform: Platform, upload: Upload) -> Video:
    with platform.database.transaction() as tx:
        return tx.videos.get(upload.id)


def test_two_creations_at_the_edge_of_a_quota_dont_both_pass(platform: Platform) -> None:
    tight = limited(platform, quota_bytes=150)

    def try_it(_: int) -> bool:
        try:
            create(tight)
        except QuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(try_it, range(4))) == 1


def test_what_was_reserved_is_free_again_when_an_upload_ends(platform: Platform) -> None:
    tight = limited(platform, quota_bytes=150)
    upload = create(tight)
    resumable.terminate(tight, upload)
    done = write(tight, create(tight), 0, FILM)
    with pytest.raises(QuotaExceeded):  # now it is stored, and counts once
        create(tight)
    library.remove(tight, OWNER, done.id)
    assert create(tight)


def test_a_plain_upload_counts_as_well(platform: Platform) -> None:
    tight = limited(platform, quota_bytes=150)
    uploads.receive(tight, OWNER, "a.mp4", None, [FILM], len(FILM))
    with pytest.raises(QuotaExceeded):
        uploads.receive(tight, OWNER, "a.mp4", None, [FILM], len(FILM))
    with pytest.raises(UploadTooLarge):
        uploads.receive(tight, OWNER, "a.mp4", None, [FILM], None)


def test_an_account_may_have_more_or_less_than_all(platform: Platform) -> None:
    tight = limited(platform, quota_bytes=150, quota_uploads=1)
    with tight.database.transaction() as tx:
        tx.accounts.add(replace(OWNER, quota_bytes=250, quota_uploads=0))
    assert create(tight)
    assert create(tight)
    with pytest.raises(QuotaExceeded):
        create(tight)
    allowed, used = quotas.stand(tight, OWNER)
    assert (allowed, used.size_bytes, used.uploads) == (quotas.Quota(250, 0, 0), 200, 2)


def test_an_upload_without_a_length_ends_at_the_quota(platform: Platform) -> None:
    tight = limited(platform, quota_bytes=150)
    upload = create(tight, None)
    with pytest.raises(UploadTooLarge):
        resumable.write(tight, upload, 0, [b"x" * 100, b"x" * 100], None)


def test_uploads_without_a_length_dont_fill_a_quota_twice(platform: Platform) -> None:
    tight = limited(platform, quota_bytes=150)
    slow, fast = create(tight, None), create(tight, None)

    def blocks() -> Iterator[bytes]:
        yield FILM
        write(tight, fast, 0, FILM)

    with pytest.raises(UploadTooLarge):
        resumable.write(tight, slow, 0, blocks(), None)
    assert quotas.stand(tight, OWNER)[1].size_bytes == 100


def test_requests_without_a_length_dont_fill_a_quota_twice(platform: Platform) -> None:
    tight = limited(platform, quota_bytes=150)

    def blocks() -> Iterator[bytes]:
        yield FILM
        uploads.receive(tight, OWNER, "fast.mp4", None, [FILM], None)

    with pytest.raises(UploadTooLarge):
        uploads.receive(tight, OWNER, "slow.mp4", None, blocks(), None)
    assert quotas.stand(tight, OWNER)[1].size_bytes == 100


@pytest.mark.parametrize(
    ("limit", "refusal"), [("quota_bytes", QuotaExceeded), ("upload_max_bytes", UploadTooLarge)]
)
def test_a_direct_url_is_for_no_more_than_its_owner_could_send(
    platform: Platform, limit: str, refusal: type[NextStreamError]
) -> None:
    tight = limited(platform, **{limit: 150})
    with pytest.raises(refusal):
        direct_uploads.create(tight, OWNER, resumable.Wish(None, max_bytes=151))
    direct_uploads.create(tight, OWNER, resumable.Wish(None, max_bytes=150))


def test_a_direct_url_takes_a_file_of_unknown_length_in_several_requests(platform: Platform) -> None:
    upload, secret = direct_uploads.create(platform, OWNER, resumable.Wish(None))
    write(platform, upload, 0, FILM)
    upload = write(platform, direct_uploads.find(platform, secret), 100, FILM)
    done = resumable.look(platform, resumable.declare(platform, upload, 200))
    assert (done.stage, platform.storage.read(done.key)) == (Stage.DONE, 2 * FILM)


def test_a_direct_url_takes_what_was_ordered_and_no_more_in_several_requests(platform: Platform) -> None:
    upload, _ = direct_uploads.create(platform, OWNER, resumable.Wish(None, max_bytes=150))
    write(platform, upload, 0, FILM)
    full = write(platform, upload, 100, FILM[:50])
    with pytest.raises(UploadTooLarge):
        write(platform, full, 150, b"x")


def test_a_length_is_fixed_by_what_is_there_and_not_by_what_was_read_before(platform: Platform) -> None:
    upload = create(platform, None)
    write(platform, upload, 0, FILM)
    with pytest.raises(BadRequest):
        resumable.declare(platform, upload, 50)
    resumable.declare(platform, upload, 150)
    with pytest.raises(BadRequest):
        resumable.declare(platform, upload, 200)
    assert resumable.declare(platform, upload, 150).offset == 100


def test_an_upload_whose_video_is_gone_isnt_opened_again_by_its_length(platform: Platform) -> None:
    upload = create(platform, None)
    library.remove(platform, OWNER, upload.id)
    with pytest.raises(UploadGone):
        resumable.declare(platform, upload, 100)
    with platform.database.transaction() as tx:
        assert tx.uploads.get(upload.id).stage is Stage.DROPPED


def test_an_upload_is_gone_with_its_video_so_that_the_file_can_be_sent_again(platform: Platform) -> None:
    done = write(platform, create(platform), 0, FILM)
    assert resumable.find(platform, OWNER, done.id).stage is Stage.DONE
    library.remove(platform, OWNER, done.id)
    with pytest.raises(UploadGone):
        resumable.find(platform, OWNER, done.id)


def test_uploads_under_way_are_counted(platform: Platform) -> None:
    tight = limited(platform, quota_uploads=2)
    first = create(tight)
    create(tight)
    with pytest.raises(TooManyUploads):
        create(tight)
    write(tight, first, 0, FILM)
    assert create(tight)


def test_an_upload_that_nobody_goes_on_with_is_removed(platform: Platform, clock: HandClock) -> None:
    upload = write(platform, create(platform), 0, FILM[:10])
    clock.advance(platform.settings.upload_expires_s - 1)
    upload_ends.expire(platform)
    assert video(platform, upload).state is State.UPLOADING
    clock.advance(2)
    upload_ends.expire(platform)
    failure = video(platform, upload).failure
    assert failure is not None
    assert failure.code == "upload_expired"
    with pytest.raises(UploadGone):
        write(platform, upload, 10, FILM[10:])


def test_bytes_keep_an_upload_from_expiring(platform: Platform, clock: HandClock) -> None:
    upload = create(platform)
    clock.advance(platform.settings.upload_expires_s - 1)
    write(platform, upload, 0, FILM[:10])
    clock.advance(platform.settings.upload_expires_s - 1)
    upload_ends.expire(platform)
    assert write(platform, upload, 10, FILM[10:]).stage is Stage.DONE


@pytest.mark.parametrize("drop", [library.remove, encodes.cancel])
def test_an_upload_whose_video_is_gone_counts_no_more_and_leaves_nothing(
    platform: Platform, drop: Callable[[Platform, Account, str], object]
) -> None:
    tight = limited(platform, quota_bytes=150, quota_uploads=1)
    upload = write(tight, create(tight), 0, FILM[:10])
    drop(tight, OWNER, upload.id)
    other = create(tight)
    with pytest.raises(UploadGone):
        write(tight, upload, 10, FILM[10:])
    assert upload_ends.expire(tight) == 1
    assert upload_ends.expire(tight) == 0
    with platform.database.transaction() as tx:
        assert tx.uploads.get(upload.id).stage is Stage.GONE
    assert write(tight, other, 0, FILM).stage is Stage.DONE
    assert [each.key for each in platform.storage.list("")] == [other.key]


def test_an_upload_whose_video_was_removed_takes_no_more(platform: Platform) -> None:
    upload = write(platform, create(platform), 0, FILM[:10])
    library.remove(platform, OWNER, upload.id)
    with pytest.raises(NextStreamError):
        write(platform, upload, 10, FILM[10:])
    assert not list(platform.storage.list("videos/"))


@pytest.mark.parametrize(
    ("length", "part_bytes"),
    [
        (0, 8 * MIB),
        (1, 8 * MIB),
        (16_000 * MIB, 8 * MIB),
        (16_001 * MIB, 9 * MIB),
        (64 * 1024**3, 33 * MIB),
    ],
)
def test_parts_grow_with_the_file(length: int, part_bytes: int) -> None:
    assert uploading.part_bytes(length) == part_bytes


@pytest.mark.parametrize(
    "head",
    [
        *(
            b"%PDF-1.7",
            b"PK\x03\x04rest",
            b"\x7fELF\x02",
            b"MZ" + b"\0" * 100 + b"PE\0\0",
            b"\x1f\x8b\x08\0",
        ),
        *(
            b"<!DOCTYPE html>",
            b"\n <HTML>",
            b"\xef\xbb\xbf<html>",
            b"<?xml version='1.0'?>\n<svg",
            b"#!/bin/sh",
        ),
        *(
            b"#EXTM3U\n#EXT",
            b"ffconcat version 1.0",
            b"<?xml?><MPD xmlns=",
            b"SQLite format 3\0",
            b"<?php echo",
        ),
    ],
)
def test_what_is_clearly_no_video_is_named(head: bytes) -> None:
    assert sniffing.name(head)


@pytest.mark.parametrize(
    "head",
    [
        *(
            b"\0\0\0\x20ftypisom",
            b"\x1aE\xdf\xa3",
            b"RIFF\0\0\0\0AVI ",
            b"G" + b"\0" * 187 + b"G",
            b"\0\0\x01\xba",
        ),
        *(
            b"FLV\x01",
            b"OggS",
            b"ID3\x04",
            b"fLaC",
            b"\x30\x26\xb2\x75",
            b"GIF89a",
            b"\x89PNG",
            b"MZ",
            b"",
            b"x",
        ),
        *(
            b"<?xml version='1.0'?>",
            b"\0" * 512,
            b"\xff\xd8\xff",
            b"YUV4MPEG2",
            b"MThd",
            b".RMF",
            b"#!AMR\n",
        ),
    ],
)
def test_what_might_be_one_is_left_to_the_probe(head: bytes) -> None:
    assert sniffing.name(head) is None
