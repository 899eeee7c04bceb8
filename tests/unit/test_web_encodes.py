"""The API of encodes and workers, over in-memory twins."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from nextstream import wiring
from nextstream.domain.accounts import Role
from nextstream.domain.video import Options, Priority, State
from nextstream.ports import Platform
from nextstream.services import accounts, fleet, transcoding
from web import create_app

PASSWORD = "correct horse battery"


@pytest.fixture
def platform() -> Platform:
    return wiring.in_memory()


def client(platform: Platform, name: str = "ada", role: Role = Role.UPLOADER) -> FlaskClient:
    """Give a client that is logged in."""
    accounts.add(platform, name, PASSWORD, role)
    user = create_app(platform, "auth", "upload", "streaming").test_client()
    login = user.post("/api/v1/auth/login", json={"name": name, "password": PASSWORD})
    user.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {login.json['access_token']}"
    return user


@pytest.fixture
def user(platform: Platform) -> FlaskClient:
    return client(platform)


def upload(user: FlaskClient, query: str = "") -> str:
    answer = user.put(f"/api/v1/uploads/clip.mp4{query}", data=b"film")
    assert answer.status_code == 201, answer.text
    return f"/api/v1/videos/{answer.json['id']}"


def test_a_video_is_cancelled_and_retried(user: FlaskClient) -> None:
    video = upload(user)
    cancelled = user.post(f"{video}/cancel")
    assert (cancelled.status_code, cancelled.json["state"]) == (200, State.CANCELLED)
    retried = user.post(f"{video}/retry")
    assert (retried.status_code, retried.json["state"]) == (202, State.UPLOADED)
    assert retried.json["version"] == 2
    again = user.post(f"{video}/retry")
    assert (again.status_code, again.json["code"]) == (409, "wrong_state")


def test_a_video_is_encoded_anew_with_other_settings(user: FlaskClient, platform: Platform) -> None:
    video = upload(user)
    video_id = video.rpartition("/")[2]
    transcoding.run(platform, video_id, 1, slots=1)
    wish = {"heights": [480, 240], "preset": "slow", "crf": 20, "codecs": ["h264", "hevc"]}
    begun = user.post(f"{video}/encodes", json=wish)
    assert (begun.status_code, begun.json["version"], begun.json["public_version"]) == (202, 2, 1)
    with platform.database.transaction() as tx:
        assert tx.videos.get(video_id).options == Options((480, 240), "slow", 20, ("h264", "hevc"))
    assert user.post(f"{video}/cancel").json["state"] == State.CANCELLED
    assert user.post(f"{video}/encodes", json={}).status_code == 202


@pytest.mark.parametrize(
    "wish",
    [
        {"heights": []},
        {"heights": [241]},
        {"heights": [2]},
        {"preset": "placebo"},
        {"crf": 60},
        {"x": 1},
    ],
)
def test_settings_no_encoder_takes_are_told_as_such(user: FlaskClient, wish: dict[str, object]) -> None:
    answer = user.post(f"{upload(user)}/encodes", json=wish)
    assert (answer.status_code, answer.json["code"]) == (400, "bad_request")
    assert next(iter(wish)) in answer.json["detail"]


def test_a_priority_comes_with_the_upload_or_later(user: FlaskClient) -> None:
    video = upload(user, "?priority=low")
    assert user.get(video).json["priority"] == Priority.LOW
    assert user.patch(video, json={"priority": "high"}).json["priority"] == Priority.HIGH
    assert user.get(upload(user)).json["priority"] == Priority.NORMAL
    for answer in (
        user.put("/api/v1/uploads/clip.mp4?priority=urgent", data=b"film"),
        user.patch(video, json={"priority": "urgent"}),
    ):
        assert (answer.status_code, answer.json["code"]) == (400, "bad_request")


def test_the_answer_to_a_wish_describes_the_video_as_every_other(
    user: FlaskClient, platform: Platform
) -> None:
    video = upload(user)
    assert transcoding.run(platform, video.rpartition("/")[2], 1, slots=1).state is State.READY
    begun = user.post(f"{video}/encodes", json={})
    assert (begun.status_code, begun.json) == (202, user.get(video).json)
    assert begun.json["downloads"]


def test_another_ones_video_is_not_there_to_be_worked_with(
    platform: Platform, user: FlaskClient
) -> None:
    video, other = upload(user), client(platform, "bob")
    for path, body in (("cancel", None), ("retry", None), ("encodes", {})):
        answer = other.post(f"{video}/{path}", json=body)
        assert (answer.status_code, answer.json["code"]) == (404, "video_not_found")


def test_a_list_costs_as_many_queries_however_many_of_its_videos_are_encoding(
    user: FlaskClient, platform: Platform
) -> None:
    reads, costs = [], []

    class Counting(type(platform.database)):  # type: ignore[misc]  # the twin's own class, at run time
        def reading(self) -> object:
            reads.append(1)
            return super().reading()

    platform.database.__class__ = Counting
    for _ in range(2):
        transcoding.probe(platform, upload(user).rpartition("/")[2], 1, "w")
        reads.clear()
        listed = user.get("/api/v1/videos").json["items"]
        assert all(each["progress"]["frames_planned"] for each in listed)
        costs.append(len(reads))
    assert costs[0] == costs[1]


def test_workers_are_listed_to_operators(platform: Platform, user: FlaskClient) -> None:
    fleet.note(platform, "media@a", 4, draining=True)
    assert user.get("/api/v1/workers").status_code == 403
    (worker,) = client(platform, "operator", Role.OPERATOR).get("/api/v1/workers").json["items"]
    assert (worker["name"], worker["slots"], worker["draining"]) == ("media@a", 4, True)
