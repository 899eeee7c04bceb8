"""The poster, and thumbnails as they are asked for, over in-memory twins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from nextstream import wiring
from nextstream.adapters.encoder_memory import CLIP, JPEG, MemoryEncoder
from nextstream.domain import paths
from nextstream.domain.accounts import Account, Role
from nextstream.domain.plan import PROBE
from nextstream.domain.video import State, Video, Visibility
from nextstream.errors import EncoderBusy, SourceNotVideo
from nextstream.ports import Platform
from nextstream.services import images, rights, transcoding
from web import create_app

ID = "a1b2c3"
AT = f"/v/{ID}/thumbnail"


@pytest.fixture
def encoder() -> MemoryEncoder:
    return MemoryEncoder()


@pytest.fixture
def platform(encoder: MemoryEncoder) -> Platform:
    """Give a platform with one uploaded video."""
    platform = wiring.in_memory(encoder=encoder)
    now = platform.clock.now()
    with platform.database.transaction() as tx:
        tx.videos.add(Video(ID, "owner", "Title", "a.mp4", now, State.UPLOADED, size_bytes=6))
        tx.pieces.add(ID, 1, [PROBE])
    return platform


@pytest.fixture
def ready(platform: Platform) -> Video:
    return transcoding.run(platform, ID, 1, slots=1)


@pytest.fixture
def client(platform: Platform) -> FlaskClient:
    return create_app(platform, "streaming").test_client()


def keys(platform: Platform) -> set[str]:
    return {one.key.removeprefix(f"videos/{ID}/") for one in platform.storage.list(f"videos/{ID}/")}


def frame(picture: bytes) -> tuple[str, int]:
    """Read the size and the frame number that MemoryEncoder put into a picture, within its chunk."""
    head, _, body = picture.partition(b" ")
    return head.removeprefix(JPEG).decode(), int.from_bytes(body[8:16], "big")


def test_a_chunk_makes_its_sheet_and_publishing_lists_them_in_both_places(
    platform: Platform, ready: Video
) -> None:
    for name in ("poster.jpg", "storyboard.vtt", "storyboard.json"):
        assert {name, f"v1/thumbs/{name}"} <= keys(platform)
    assert {"v1/thumbs/00000.jpg", "v1/thumbs/00003.jpg", "v1/thumbs/00009.jpg"} <= keys(platform)
    assert b"\nv1/thumbs/00003.jpg#" in platform.storage.read(f"videos/{ID}/storyboard.vtt")
    assert b"\n00003.jpg#" in platform.storage.read(f"videos/{ID}/v1/thumbs/storyboard.vtt")


def test_previews_can_be_switched_off(platform: Platform, client: FlaskClient) -> None:
    off = replace(platform, settings=replace(platform.settings, previews=False))
    assert transcoding.run(off, ID, 1, slots=1).state is State.READY
    assert not any(key.endswith((".jpg", ".vtt", ".json")) for key in keys(platform))
    assert client.get(f"{AT}.jpg?time=1").status_code == 200


def test_sound_alone_has_no_pictures(
    platform: Platform, encoder: MemoryEncoder, client: FlaskClient
) -> None:
    encoder.source = replace(CLIP, video=None)
    assert transcoding.run(platform, ID, 1, slots=1).state is State.READY
    assert not any("thumbs" in key for key in keys(platform))
    assert client.get(f"{AT}.jpg").status_code == 404


def test_the_poster_is_the_keyframe_that_took_most_bytes_within_the_first_minute(
    platform: Platform, ready: Video
) -> None:
    def grow(rendition: Any, number: int) -> Any:
        segments = list(rendition.segments)
        first, second, third = segments[number - 1].keyframes
        second = replace(second, size_bytes=second.size_bytes + 8)
        segments[number - 1] = replace(segments[number - 1], keyframes=(first, second, third))
        return replace(rendition, segments=tuple(segments))

    images.publish(platform, ready, [grow(each, 2) for each in ready.renditions if each.is_video])
    poster = platform.storage.read(f"videos/{ID}/{paths.POSTER}")
    # Segment 2 begins the second chunk, so its second GOP is that chunk's frame 48.
    assert frame(poster) == ("1280x720", 48)


@pytest.mark.parametrize(
    ("time_s", "number"),
    [("0", 0), ("0.0416", 0), ("0.0417", 1), ("5.999", 143), ("6", 0), ("8.5", 60), ("1e5", 47)],
)
def test_a_thumbnail_is_the_frame_shown_at_its_time(
    client: FlaskClient, ready: Video, time_s: str, number: int
) -> None:
    answer = client.get(f"{AT}.jpg?time={time_s}")
    assert (answer.status_code, answer.content_type) == (200, "image/jpeg")
    assert frame(answer.data) == ("320x180", number)


@pytest.mark.parametrize(
    ("width", "size"), [(16, "16x9"), (426, "426x240"), (700, "700x393"), (1920, "1280x720")]
)
def test_a_thumbnail_is_never_wider_than_the_largest_rung(
    client: FlaskClient, ready: Video, width: int, size: str
) -> None:
    assert frame(client.get(f"{AT}.jpg?width={width}").data)[0] == size


def test_webp_is_another_picture_with_its_own_etag(client: FlaskClient, ready: Video) -> None:
    jpg, webp = client.get(f"{AT}.jpg"), client.get(f"{AT}.webp")
    assert (webp.content_type, webp.data[8:12]) == ("image/webp", b"WEBP")
    assert jpg.headers["ETag"] != webp.headers["ETag"]


def test_a_known_thumbnail_and_a_head_are_answered_without_a_decode(
    client: FlaskClient, ready: Video, encoder: MemoryEncoder
) -> None:
    whole = client.get(f"{AT}.jpg?time=3")
    encoder.failing["picture"] = EncoderBusy()
    known = client.get(f"{AT}.jpg?time=3.01", headers={"If-None-Match": whole.headers["ETag"]})
    head = client.head(f"{AT}.jpg?time=3")
    assert (known.status_code, known.data, head.status_code, head.data) == (304, b"", 200, b"")
    assert "Content-Length" not in head.headers
    for name in ("ETag", "Content-Type", "Cache-Control", "Access-Control-Allow-Origin"):
        assert head.headers[name] == whole.headers[name]
    busy = client.get(f"{AT}.jpg?time=3")
    assert (busy.status_code, busy.get_json()["code"]) == (503, "encoder_busy")
    assert busy.headers["Retry-After"]


@pytest.mark.parametrize("query", ["time=-1", "time=x", "time=nan", "time=inf", "width=8", "width=4000"])
def test_what_no_picture_can_be_is_refused(client: FlaskClient, ready: Video, query: str) -> None:
    assert client.get(f"{AT}.jpg?{query}").status_code == 400


def test_parts_that_are_done_can_be_asked_for_while_the_rest_is_encoded(
    platform: Platform, client: FlaskClient
) -> None:
    assert client.get(f"{AT}.jpg").get_json()["code"] == "video_not_ready"
    pieces: Sequence[Any] = transcoding.probe(platform, ID, 1, "w")
    assert client.get(f"{AT}.jpg").get_json()["code"] == "video_not_ready"
    transcoding.encode(platform, ID, 1, pieces[0].name, "w")
    assert client.get(f"{AT}.jpg?time=5").status_code == 200
    assert client.get(f"{AT}.jpg?time=7").get_json()["code"] == "video_not_ready"


def test_a_rung_encoded_before_frames_were_counted_shows_its_keyframes(
    platform: Platform, ready: Video, client: FlaskClient
) -> None:
    older = tuple(replace(rendition, frame_ticks=0) for rendition in ready.renditions)
    with platform.database.transaction() as tx:
        tx.videos.save(replace(ready, renditions=older))
    assert frame(client.get(f"{AT}.jpg?time=3.9").data)[1] == 48


def test_an_encode_that_failed_is_not_waited_for(
    platform: Platform, encoder: MemoryEncoder, client: FlaskClient
) -> None:
    encoder.failing["probe"] = SourceNotVideo()
    transcoding.run(platform, ID, 1, slots=1)
    for name in ("thumbnail.jpg", "download/v240.mp4"):
        assert client.get(f"/v/{ID}/{name}").get_json()["code"] == "not_found"


def test_an_operator_may_have_no_thumbnails(platform: Platform, ready: Video) -> None:
    settings = replace(platform.settings, thumbnails_at_once=0)
    client = create_app(replace(platform, settings=settings), "streaming").test_client()
    assert client.get(f"{AT}.jpg").status_code == 404
    assert client.get("/v/none/thumbnail.jpg").status_code == 404


def test_a_private_video_gives_pictures_and_downloads_for_a_ticket_alone(
    platform: Platform, ready: Video, client: FlaskClient
) -> None:
    with platform.database.transaction() as tx:
        tx.videos.save(replace(ready, visibility=Visibility.PRIVATE))
    operator = Account("o", "operator", "-", Role.OPERATOR, platform.clock.now())
    word = rights.grant(platform, operator, ID, 600).word
    for name in ("poster.jpg", "thumbnail.jpg", "download/v240.mp4"):
        assert client.get(f"/v/{ID}/{name}").get_json()["code"] == "video_not_found"
        answer = client.get(f"/p/{word}/v/{ID}/{name}")
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"].startswith("private")
