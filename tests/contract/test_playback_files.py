"""Files as players fetch them, from every storage: one behaviour, whatever is behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from nextstream import wiring
from nextstream.domain.video import Video
from nextstream.ports import Platform
from web import create_app

BODY = bytes(range(256)) * 4096  # 1 MiB: several blocks of every storage
SIZE = len(BODY)
SEGMENT = "/v/abc/v1/v720/00001.m4s"
MASTER = """#EXTM3U
#EXT-X-STREAM-INF:BANDWIDTH=3000000,RESOLUTION=1280x720
v1/v720/index.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640x360
v1/v360/index.m3u8
"""


@pytest.fixture(params=["memory", "local", "s3"], scope="module")
def storage_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "s3":
        return str(request.getfixturevalue("s3_url"))
    folder = tmp_path_factory.mktemp("media")
    return {"memory": wiring.MEMORY, "local": f"file://{folder}"}[request.param]


@pytest.fixture(scope="module")
def platform(storage_url: str) -> Platform:
    settings = wiring.in_memory().settings
    platform = wiring.in_memory(settings=replace(settings, storage_url=storage_url))
    with platform.database.transaction() as tx:
        tx.videos.add(Video("abc", "owner", "Film", "film.mp4", platform.clock.now()))
    platform.storage.write("videos/abc/v1/v720/00001.m4s", [BODY], "video/iso.segment")
    platform.storage.put("videos/abc/v1/v720/index.m3u8", b"#EXTM3U\n", "text/plain")
    platform.storage.put("videos/abc/master.m3u8", MASTER.encode(), "text/plain")
    return platform


@pytest.fixture(scope="module")
def client(platform: Platform) -> FlaskClient:
    return create_app(platform, "streaming").test_client()


def get(client: FlaskClient, path: str = SEGMENT, **headers: str) -> TestResponse:
    return client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_a_segment_comes_whole_and_may_be_kept_for_ever(client: FlaskClient) -> None:
    answer = get(client)
    assert (answer.status_code, answer.data == BODY) == (200, True)
    assert answer.headers["Content-Type"] == "video/iso.segment"
    assert answer.headers["Content-Length"] == str(SIZE)
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Last-Modified"]


def test_a_playlist_is_asked_for_again_each_time(client: FlaskClient) -> None:
    for path in ("/v/abc/v1/v720/index.m3u8", "/v/abc/master.m3u8"):
        answer = get(client, path)
        assert answer.headers["Content-Type"] == "application/vnd.apple.mpegurl"
        assert answer.headers["Cache-Control"] == "public, no-cache"
        again = get(client, path, If_None_Match=answer.headers["ETag"])
        assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=300000-700000", 300_000, 700_001),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
        ("bytes=1000-", 1000, SIZE),
        ("bytes=-1000", SIZE - 1000, SIZE),
        (f"bytes=0-{SIZE * 2}", 0, SIZE),
        ("bytes=0-", 0, SIZE),
    ],
)
def test_a_range_gives_these_bytes_alone(
    client: FlaskClient, wanted: str, start: int, stop: int
) -> None:
    answer = get(client, Range=wanted)
    assert (answer.status_code, answer.data == BODY[start:stop]) == (206, True)
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{SIZE}"
    assert answer.headers["Content-Length"] == str(stop - start)
    head = client.head(SEGMENT, headers={"Range": wanted})  # which ranges aren't defined for
    assert (head.status_code, head.headers["Content-Length"], head.data) == (200, str(SIZE), b"")


@pytest.mark.parametrize("wanted", [f"bytes={SIZE}-", f"bytes={SIZE + 5}-{SIZE + 9}"])
def test_a_range_beyond_the_end_is_told_the_size(client: FlaskClient, wanted: str) -> None:
    answer = get(client, Range=wanted)
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{SIZE}"
    assert answer.get_json()["code"] == "requested_range_not_satisfiable"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    "wanted",
    ["bytes=0-1,5-6", "frames=0-1", "bytes=", "bytes=a-b", "bytes=9-5", "0-5", f"bytes=-{SIZE * 2}"],
)
def test_a_range_that_makes_no_sense_or_is_several_gives_all(client: FlaskClient, wanted: str) -> None:
    answer = get(client, Range=wanted)
    assert (answer.status_code, len(answer.data)) == (200, SIZE)


def test_if_range_gives_all_when_the_file_is_another(client: FlaskClient) -> None:
    whole = get(client)
    same = get(client, Range="bytes=0-9", If_Range=whole.headers["ETag"])
    other = get(client, Range="bytes=0-9", If_Range='"another"')
    assert [same.status_code, other.status_code] == [206, 200]


def test_a_known_file_is_not_sent_again(client: FlaskClient) -> None:
    etag = get(client).headers["ETag"]
    answer = get(client, If_None_Match=etag)
    assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", etag)
    assert get(client, If_None_Match='"another"').status_code == 200


@pytest.mark.parametrize("wanted", [{}, {"Range": "bytes=0-9"}], ids=["whole", "range"])
def test_conditions_come_before_ranges(client: FlaskClient, wanted: dict[str, str]) -> None:
    whole = get(client)
    etag, changed_at = whole.headers["ETag"], whole.headers["Last-Modified"]
    long_ago = "Thu, 01 Jan 2015 00:00:00 GMT"

    def status(**conditions: str) -> int:
        return get(client, **conditions, **wanted).status_code

    sent = 206 if wanted else 200
    assert status(If_None_Match=etag) == status(If_Modified_Since=changed_at) == 304
    assert status(If_None_Match=etag, If_Modified_Since=long_ago) == 304
    assert status(If_None_Match='"another"', If_Modified_Since=changed_at) == sent
    assert status(If_Match='"another"') == status(If_Unmodified_Since=long_ago) == 412
    assert status(If_Match=etag, If_Unmodified_Since=long_ago) == sent
    assert status(If_Unmodified_Since=changed_at) == sent


def test_head_tells_all_but_the_bytes(client: FlaskClient) -> None:
    head, whole = client.head(SEGMENT), get(client)
    assert (head.status_code, head.data) == (200, b"")
    for name in ("Content-Length", "Content-Type", "ETag", "Cache-Control", "Accept-Ranges"):
        assert head.headers[name] == whole.headers[name]


def test_players_on_any_site_may_read_and_ask_for_ranges(client: FlaskClient) -> None:
    for answer in (get(client), get(client, Range="bytes=0-9"), client.options(SEGMENT)):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Range" in answer.headers["Access-Control-Allow-Headers"]
        assert "Content-Range" in answer.headers["Access-Control-Expose-Headers"]
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_player_may_ask_for_heights(client: FlaskClient) -> None:
    small = get(client, "/v/abc/master.m3u8?max_height=480")
    large = get(client, "/v/abc/master.m3u8?min_height=480")
    assert [b"v360" in small.data, b"v720" in small.data] == [True, False]
    assert [b"v360" in large.data, b"v720" in large.data] == [False, True]
    assert small.headers["ETag"] != large.headers["ETag"]
    for odd in ("0", "-1", "tall", "1e9"):
        assert get(client, f"/v/abc/master.m3u8?max_height={odd}").status_code == 400


def test_the_api_is_not_for_other_sites(client: FlaskClient) -> None:
    answer = client.get("/api/v1/videos")
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_missing_file_is_problem_details(client: FlaskClient) -> None:
    answer = get(client, "/v/abc/v1/v720/00002.m4s")
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_a_fetched_file_is_closed(platform: Platform, client: FlaskClient) -> None:
    def opened() -> Iterator[Path]:
        for link in Path("/proc/self/fd").iterdir():
            target = link.resolve()
            if target.name == "00001.m4s":
                yield target

    for headers in ({}, {"Range": "bytes=0-9"}):
        answer = client.get(SEGMENT, headers=headers, buffered=False)
        next(iter(answer.response))
        answer.close()
    assert not list(opened())
