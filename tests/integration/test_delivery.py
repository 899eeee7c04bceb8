"""Segments on their way through a real gateway: by the kernel, from S3, or by way of us."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests import sites
from tests.sites import Client, Site

SEGMENT = "v1/v720/00001.m4s"
LARGE_BYTES = 64 * 1024**2
MOST_READS = 64  # Python would need 256, of its largest blocks


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with sites.run(tmp_path_factory.mktemp("local"), separate=False) as site:
        yield site


@pytest.fixture(scope="module")
def s3(s3_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    chosen = {"storage_url": s3_url, "delivery": "s3"}
    with sites.run(tmp_path_factory.mktemp("s3-delivery"), separate=False, **chosen) as site:
        yield site


def put(user: Client, body: bytes) -> str:
    """Give the address of a segment of these bytes."""
    video_id = user.upload()
    user.site.platform.storage.put(f"videos/{video_id}/{SEGMENT}", body, "video/iso.segment")
    return f"/v/{video_id}/{SEGMENT}"


def reads(site: Site) -> int:
    """Count how often the web server's worker has read anything so far."""
    master = site.pids["gateway"]
    worker = Path(f"/proc/{master}/task/{master}/children").read_text().split()[-1]
    lines = Path(f"/proc/{worker}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("syscr:"))


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [(None, 0, LARGE_BYTES), (f"bytes=5000-{LARGE_BYTES - 2}", 5000, LARGE_BYTES - 1)],
    ids=["whole", "range"],
)
def test_the_kernel_sends_files_and_ranges_of_them(
    local: Site, wanted: str | None, start: int, stop: int
) -> None:
    body = os.urandom(1024) * (LARGE_BYTES // 1024)
    address, before = put(local.user(), body), reads(local)
    guest = local.guest()
    sites.reset_peak(local.pids["gateway"])
    peak_before = sites.memory_bytes(local.pids["gateway"])
    answer = guest.get(address, headers={"Range": wanted} if wanted else {})
    assert answer.status_code == (206 if wanted else 200)
    assert zlib.crc32(answer.content) == zlib.crc32(body[start:stop])
    assert reads(local) - before < MOST_READS
    assert sites.memory_bytes(local.pids["gateway"]) - peak_before < LARGE_BYTES // 4


def test_a_connection_goes_on_after_a_range(local: Site) -> None:
    body, guest = bytes(range(256)) * 4000, local.guest()
    address = put(local.user(), body)
    for start in (0, 100, 500_000):
        answer = guest.get(address, headers={"Range": f"bytes={start}-{start + 99}"})
        assert answer.content == body[start : start + 100]
    assert guest.get(address).content == body


def test_s3_gives_segments_by_an_address_that_is_signed_for_a_while(s3: Site, s3_url: str) -> None:
    body, guest = os.urandom(50_000), s3.guest()
    address = put(s3.user(), body)
    answer = guest.get(address, allow_redirects=False)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (302, "public, max-age=1800")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert urlsplit(answer.headers["Location"]).netloc in requests.utils.unquote(s3_url)
    assert "X-Amz-Expires=3600" in answer.headers["Location"]
    assert guest.get(address).content == body
    part = guest.get(address, headers={"Range": "bytes=100-199"})
    assert part.content == body[100:200]  # rclone's status for it is 200
    head = guest.head(address)  # which the address isn't signed for
    assert (head.status_code, head.headers["Content-Length"]) == (200, "50000")


def test_s3_is_told_of_private_segments_to_who_may_play_them_alone(s3: Site) -> None:
    owner = s3.user()
    address = put(owner, b"secret")
    video_id = address.split("/")[2]
    assert owner.patch(f"/api/v1/videos/{video_id}", json={"visibility": "private"}).ok
    assert s3.guest().get(address, allow_redirects=False).status_code == 404
    link = owner.post(f"/api/v1/videos/{video_id}/playback", json={}).json()["hls"]
    opened = s3.guest().get(f"/p/{link.split('/')[4]}{address}", allow_redirects=False)
    assert (opened.status_code, opened.headers["Cache-Control"]) == (302, "private, max-age=1800")
    assert requests.get(opened.headers["Location"], timeout=30).content == b"secret"


def test_playlists_stay_with_us(s3: Site) -> None:
    owner = s3.user()
    address = put(owner, b"x").replace("00001.m4s", "index.m3u8")
    video_id = address.split("/")[2]
    text = "#EXTM3U\n" + "#EXTINF:6,\n00001.m4s\n" * 100
    s3.platform.storage.put(f"videos/{video_id}/v1/v720/index.m3u8", text.encode(), "text/plain")
    answer = s3.guest().get(address, allow_redirects=False)
    assert (answer.status_code, answer.text) == (200, text)
    assert answer.headers["Content-Encoding"] == "gzip"  # as requests asks for


def test_a_compressed_playlist_comes_through_the_proxy_as_it_is(site: Site) -> None:
    owner = site.user()
    video_id, text = owner.upload(), "#EXTM3U\n" + "#EXTINF:6,\n00001.m4s\n" * 100
    site.platform.storage.put(f"videos/{video_id}/master.m3u8", text.encode(), "text/plain")
    answer = site.guest().get(f"/v/{video_id}/master.m3u8")
    assert (answer.text, answer.headers["Content-Encoding"]) == (text, "gzip")
    assert {word.strip() for word in answer.headers["Vary"].split(",")} >= {"Accept-Encoding"}
    etag = answer.headers["ETag"]
    assert (
        site.guest().get(f"/v/{video_id}/master.m3u8", headers={"If-None-Match": etag}).status_code
        == 304
    )
