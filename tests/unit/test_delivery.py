"""What players get by what they ask for and accept, and where they are sent, against twins."""

from __future__ import annotations

import gzip
import time
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from werkzeug.http import http_date, parse_options_header
from werkzeug.test import TestResponse

from nextstream import wiring
from nextstream.domain import tickets
from nextstream.domain.video import Video, Visibility
from nextstream.errors import Misconfigured
from nextstream.ports import Platform
from nextstream.settings import Settings
from web import create_app, downloads

VARIANT = "#EXT-X-STREAM-INF:BANDWIDTH={},RESOLUTION={},CODECS={}\n{}/index.m3u8\n"
MASTER = "#EXTM3U\n" + "".join(
    VARIANT.format(*facts)
    for facts in (
        (5_000_000, "1920x1080", '"avc1.640028"', "v1/v1080"),
        (3_000_000, "1280x720", '"avc1.64001f"', "v1/v720"),
        (900_000, "640x360", '"avc1.64001e"', "v1/v360"),
        (2_000_000, "1280x720", '"hvc1.1.6.L93.B0"', "v1/hevc-v720"),
    )
)
PLAYLIST = "#EXTM3U\n" + "".join(f"#EXTINF:6.000000,\n{n:05d}.m4s\n" for n in range(100))
SEGMENT = "v1/v720/00001.m4s"
CDN = "https://cdn.example/media/"


def platform_of(**chosen: str) -> Platform:
    platform = wiring.in_memory()
    platform = replace(platform, settings=replace(platform.settings, **chosen))
    now = platform.clock.now()
    with platform.database.transaction() as tx:
        for visibility in Visibility:
            tx.videos.add(Video(visibility, "owner", "T", "f.mp4", now, visibility=visibility))
    for video_id in Visibility:
        for name, body in {
            "master.m3u8": MASTER,
            "v1/v720/index.m3u8": PLAYLIST,
            "v1/v720/init.mp4": "init" * 100,
            SEGMENT: "segment" * 100,
            "storyboard.json": "[]",
        }.items():
            platform.storage.put(f"videos/{video_id}/{name}", body.encode(), "text/plain")
    return platform


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return create_app(platform_of(), "streaming").test_client()


def get(client: FlaskClient, name: str, video: str = "public", **headers: str) -> TestResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.get(f"/v/{video}/{name}", headers=named)


def names(answer: TestResponse) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [line.split("/")[1] for line in answer.text.splitlines() if line.startswith("v1/")]


@pytest.mark.parametrize("name", ["v1/v720/index.m3u8", "master.m3u8", "master.m3u8?max_height=720"])
def test_a_playlist_is_compressed_for_who_takes_that(client: FlaskClient, name: str) -> None:
    plain, packed = get(client, name), get(client, name, Accept_Encoding="br, gzip")
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < len(plain.data)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Content-Length"] == str(len(packed.data))
    assert "Content-Encoding" not in plain.headers
    for answer in (plain, packed):
        assert "Accept-Encoding" in answer.headers["Vary"]
        assert answer.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    head = client.head(f"/v/public/{name}", headers={"Accept-Encoding": "gzip"})
    for header in ("Content-Length", "ETag", "Content-Encoding"):
        assert head.headers[header] == packed.headers[header]


@pytest.mark.parametrize("name", ["v1/v720/index.m3u8", "master.m3u8"])
def test_each_form_of_a_playlist_has_its_own_etag(client: FlaskClient, name: str) -> None:
    plain, packed = get(client, name), get(client, name, Accept_Encoding="gzip")
    etags = [answer.headers["ETag"] for answer in (plain, packed)]
    assert etags[0] != etags[1]
    again = get(client, name, Accept_Encoding="gzip", If_None_Match=etags[1])
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etags[1])
    assert "Accept-Encoding" in again.headers["Vary"]
    assert get(client, name, If_None_Match=etags[0]).status_code == 304
    assert get(client, name, If_None_Match=etags[1]).status_code == 200


@pytest.mark.parametrize("accepted", ["", "br", "gzip;q=0", "identity"])
def test_who_does_not_take_gzip_gets_the_plain_text(client: FlaskClient, accepted: str) -> None:
    answer = get(client, "v1/v720/index.m3u8", Accept_Encoding=accepted)
    assert answer.text == PLAYLIST


def test_a_range_is_one_of_the_plain_text(client: FlaskClient) -> None:
    wish = {"Accept_Encoding": "gzip", "Range": "bytes=1-6"}
    part = get(client, "v1/v720/index.m3u8", **wish)
    assert (part.status_code, part.data) == (206, b"EXTM3U")
    packed = get(client, "v1/v720/index.m3u8", Accept_Encoding="gzip").headers["ETag"]
    other = get(client, "v1/v720/index.m3u8", **wish, If_Range=packed)
    assert (other.status_code, other.text) == (200, PLAYLIST)


@pytest.mark.parametrize("accepted", ["gzip", "identity"])
@pytest.mark.parametrize("new", [MASTER[:40], MASTER * 2], ids=["shorter", "longer"])
def test_a_playlist_that_is_replaced_while_it_is_sent_is_whole(accepted: str, new: str) -> None:
    platform = platform_of()

    class Replaced(type(platform.storage)):  # type: ignore[misc]  # the twin's own class, at run time
        def head(self, key: str) -> object:
            found = super().head(key)
            self.put(key, new.encode(), "text/plain")
            return found

    platform.storage.__class__ = Replaced
    answer = get(
        create_app(platform, "streaming").test_client(), "master.m3u8", Accept_Encoding=accepted
    )
    packed = "Content-Encoding" in answer.headers
    assert (gzip.decompress(answer.data) if packed else answer.data) == new.encode()
    assert answer.headers["Content-Length"] == str(len(answer.data))


LONG_AGO, TOMORROW = "Mon, 01 Jan 2001 00:00:00 GMT", http_date(time.time() + 86400)


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ({"If_Match": "*"}, 206),
        ({"If_Match": '"other"'}, 412),
        ({"If_Match": "{etag}"}, 206),
        ({"If_Match": "*", "If_None_Match": "{etag}"}, 304),
        ({"If_Unmodified_Since": LONG_AGO}, 412),
        ({"If_Unmodified_Since": TOMORROW}, 206),
        ({"If_Range": "{etag}"}, 206),
        ({"If_Range": "W/{etag}"}, 200),
        ({"If_Range": "{date}"}, 206),
        ({"If_Range": LONG_AGO}, 200),
        ({"If_Range": TOMORROW}, 200),
    ],
)
@pytest.mark.parametrize("name", [SEGMENT, "v1/v720/index.m3u8"])
def test_a_part_is_given_under_the_conditions_of_http(
    client: FlaskClient, name: str, condition: dict[str, str], status: int
) -> None:
    whole = get(client, name).headers
    facts = {"etag": whole["ETag"], "date": whole["Last-Modified"]}
    asked = {header: value.format(**facts) for header, value in condition.items()}
    answer = get(client, name, Range="bytes=0-9", **asked)
    assert answer.status_code == status
    if status != 304:
        assert answer.headers["Content-Length"] == str(len(answer.data))


@pytest.mark.parametrize(
    ("condition", "status"),
    [({"If_Match": "*"}, 200), ({"If_Unmodified_Since": LONG_AGO}, 412), ({"If_Match": '"x"'}, 412)],
)
@pytest.mark.parametrize("name", ["master.m3u8", "v1/v720/index.m3u8"])
def test_a_compressed_playlist_heeds_conditions_as_the_plain_one(
    client: FlaskClient, name: str, condition: dict[str, str], status: int
) -> None:
    for accepted in ("gzip", "identity"):
        assert get(client, name, Accept_Encoding=accepted, **condition).status_code == status


@pytest.mark.parametrize("name", ["v1/v720/00002.m4s", "master.m3u8?codecs=av1", "source", "a.mp4"])
def test_no_cache_keeps_that_something_is_not_there_yet(client: FlaskClient, name: str) -> None:
    for video in ("public", "private", "none"):
        answer = get(client, name, video)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (404, "no-store")


@pytest.mark.parametrize("name", [SEGMENT, "v1/v720/init.mp4", "storyboard.json"])
def test_media_and_what_is_tiny_is_never_compressed(client: FlaskClient, name: str) -> None:
    answer = get(client, name, Accept_Encoding="gzip")
    assert answer.status_code == 200
    assert "Content-Encoding" not in answer.headers
    assert ("Vary" in answer.headers) == name.endswith(".json")


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("codecs=hvc1", ["hevc-v720"]),
        ("codecs=h264&max_height=720", ["v720", "v360"]),
        ("codecs=avc1.64001f,mp4a.40.2&min_height=1080", ["v1080"]),
        ("max_bandwidth=1000000", ["v360"]),
        ("max_bandwidth=10", ["v360"]),
        ("device=phone", ["v720", "v360", "hevc-v720"]),
        ("device=phone&max_height=400", ["v360"]),
        ("device=tv", ["v1080", "v720", "v360", "hevc-v720"]),
    ],
)
def test_a_player_may_ask_for_what_it_can_show(client: FlaskClient, query: str, left: list[str]) -> None:
    assert names(get(client, f"master.m3u8?{query}")) == left


@pytest.mark.parametrize(
    "query", ["codecs=vp9", "codecs=", "max_bandwidth=0", "max_bandwidth=fast", "device=watch"]
)
def test_a_wish_that_makes_no_sense_is_told(client: FlaskClient, query: str) -> None:
    answer = get(client, f"master.m3u8?{query}")
    assert (answer.status_code, answer.json["code"]) == (400, "bad_request")
    assert query.partition("=")[0] in answer.json["detail"]


def test_a_wish_for_a_codec_that_is_not_there_names_those_that_are(client: FlaskClient) -> None:
    answer = get(client, "master.m3u8?codecs=av1")
    assert (answer.status_code, answer.json["code"]) == (404, "no_variant")
    assert "avc1, hvc1" in answer.json["detail"]


def test_who_saves_data_is_offered_small_pictures_unless_it_asks_for_others(client: FlaskClient) -> None:
    saving = get(client, "master.m3u8", Save_Data="on")
    assert names(saving) == ["v360"]
    assert names(get(client, "master.m3u8?max_height=720", Save_Data="on"))[0] == "v720"
    for answer in (saving, get(client, "master.m3u8")):
        assert "Save-Data" in answer.headers["Vary"]


@pytest.fixture(scope="module")
def cdn() -> FlaskClient:
    platform = platform_of(delivery="cdn", cdn_url=CDN)
    with platform.database.transaction() as tx:
        film = replace(tx.videos.get("private"), id="sealed", keys={1: "sealed"})
        tx.videos.add(film)
    return create_app(platform, "streaming").test_client()


@pytest.mark.parametrize("video", ["public", "unlisted"])
def test_a_cdn_gives_segments_and_we_the_playlists(cdn: FlaskClient, video: str) -> None:
    answer = get(cdn, SEGMENT, video)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{CDN}videos/{video}/{SEGMENT}")
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    for name in ("master.m3u8", "v1/v720/index.m3u8", "storyboard.json"):
        assert get(cdn, name, video).status_code == 200
    assert cdn.head(f"/v/{video}/{SEGMENT}").status_code == 200
    assert get(cdn, "v1/source.m4s/../../source", video).status_code == 404


def test_a_cdn_has_no_private_segments_but_encrypted_ones(cdn: FlaskClient) -> None:
    ticket = ticket_of("private"), ticket_of("sealed")
    through = cdn.get(f"/p/{ticket[0]}/v/private/{SEGMENT}")
    assert (through.status_code, through.text) == (200, "segment" * 100)
    sealed = cdn.get(f"/p/{ticket[1]}/v/sealed/{SEGMENT}")
    assert (sealed.status_code, sealed.headers["Cache-Control"]) == (302, "private, max-age=3600")
    for video in ("private", "sealed"):
        assert get(cdn, SEGMENT, video).status_code == 404


def test_a_cookie_that_is_no_longer_good_keeps_nobody_from_what_is_open() -> None:
    client = create_app(platform_of(), "streaming").test_client(use_cookies=False)

    def statuses(word: str) -> list[int]:
        sent = {"Cookie": f"ns_ticket={word}"}
        return [client.get(f"/v/{v}/master.m3u8", headers=sent).status_code for v in Visibility]

    assert statuses("revoked") == [200, 200, 403]
    assert statuses(ticket_of("private")) == [200, 200, 200]


@pytest.mark.parametrize(
    "title", ["x\uff02; filename=evil.exe; a=\uff02", "\u2025\uff0f\u2025\uff0fevil", "\uff3c\uff1aevil"]
)
def test_no_title_writes_the_header_of_its_download(title: str) -> None:
    header = downloads.disposition(title)
    assert header.partition("; filename*=")[2] == f"UTF-8''{quote(title, safe='')}"
    form, parameters = parse_options_header(header.partition("; filename*=")[0])
    assert (form, [*parameters]) == ("attachment", ["filename"])
    assert not set(parameters["filename"]) & set('"/\\:')


def ticket_of(video_id: str) -> str:

    platform = wiring.in_memory()
    ticket = tickets.Ticket(video_id, platform.clock.now() + timedelta(hours=1), 0)
    return tickets.write(ticket, platform.settings.secret_key)


@pytest.mark.parametrize(
    "chosen",
    [
        {"delivery": "carrier-pigeon"},
        {"delivery": "s3", "storage_url": "file:///media"},
        {"delivery": "cdn"},
        {"delivery": "cdn", "cdn_url": "cdn.example"},
    ],
)
def test_a_delivery_that_cannot_be_is_told_at_the_start(chosen: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match="NEXTSTREAM_DELIVERY"):
        Settings(**chosen).check_delivery()  # type: ignore[arg-type]  # all are words
