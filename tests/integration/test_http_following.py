"""Server-sent events of a video, through a gateway that mounts or proxies its services."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import requests

from nextstream.services import transcoding
from tests.sites import Client, Site, problem


@dataclass
class Told:
    """A message of a stream."""

    name: str
    id: int
    data: dict[str, Any]


def open_stream(
    client: Client, video_id: str, after: int | None = None, method: str = "get"
) -> requests.Response:
    path, headers = f"/api/v1/videos/{video_id}/events", {"Accept": "text/event-stream"}
    if after is not None:
        headers["Last-Event-ID"] = str(after)
    answer: requests.Response = getattr(client, method)(path, headers=headers, stream=True)
    return answer


def read(answer: requests.Response) -> Iterator[Told]:
    """Give the messages as they come, until the stream ends."""
    fields: dict[str, str] = {}
    for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            if "data" in fields:
                name = fields.get("event", "message")
                yield Told(name, int(fields["id"]), json.loads(fields["data"]))
            fields = {}


def encode(site: Site, video_id: str) -> None:
    assert transcoding.run(site.platform, video_id, 1, slots=1).state == "ready"


def test_a_stream_tells_progress_and_events_until_the_video_is_ready(site: Site) -> None:
    user = site.user()
    video_id = user.upload()
    with closing(open_stream(user, video_id)) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["Cache-Control"] == "no-store"
        told = read(answer)
        first = next(told)
        assert (first.name, first.data["state"], first.data["playable"]) == (
            "progress",
            "uploaded",
            False,
        )
        begun = time.monotonic()
        encode(site, video_id)
        rest = list(told)
    assert time.monotonic() - begun < 30
    events = [one.data["type"] for one in rest if one.name == "message"]
    assert events[0] == "video.probed"
    assert events[-1] == "video.ready"
    assert events.count("video.playable") == 1
    assert {one.data["specversion"] for one in rest if one.name == "message"} == {"1.0"}
    assert rest[-1].name == "progress"
    assert rest[-1].data == user.get(f"/api/v1/videos/{video_id}").json()
    ids = [one.id for one in rest]
    assert ids == sorted(ids)


def test_a_client_that_comes_again_gets_what_it_missed_and_then_nothing(site: Site) -> None:
    user = site.user()
    video_id = user.upload()
    with closing(open_stream(user, video_id, after=0)) as answer:
        told = read(answer)
        seen = [next(told) for _ in range(2)]
    assert [one.data["type"] for one in seen] == ["video.created", "video.uploaded"]
    encode(site, video_id)
    missed = list(read(open_stream(user, video_id, after=seen[-1].id)))
    types = [one.data["type"] for one in missed if one.name == "message"]
    assert types[0] == "video.probed"
    assert types[-1] == "video.ready"
    assert len(types) == len({one.id for one in missed if one.name == "message"})
    assert open_stream(user, video_id, after=missed[-1].id).status_code == 204


def test_a_video_is_followed_by_its_owner_alone(site: Site) -> None:
    video_id = site.user().upload()
    other, guest = open_stream(site.user(), video_id), open_stream(site.guest(), video_id)
    assert problem(other)["code"] == "video_not_found"
    assert problem(guest)["code"] == "not_authenticated"
    wrong = site.user().get(f"/api/v1/videos/{video_id}/events", headers={"Last-Event-ID": "x"})
    assert problem(wrong)["code"] == "bad_request"


def wait_for_seat(user: Client, video_id: str, method: str = "get") -> requests.Response:
    """Ask for a stream until there is room, when those before, whose clients have left, are over."""
    deadline = time.monotonic() + 60
    while (answer := open_stream(user, video_id, method=method)).status_code == 503:
        assert time.monotonic() < deadline, "no seat came back"
        time.sleep(0.2)
    return answer


def test_streams_leave_threads_for_other_requests_and_give_their_own_back(site: Site) -> None:
    user = site.user()
    video_id = user.upload()
    opened = [wait_for_seat(user, video_id) for _ in range(site.platform.settings.streams_each)]
    try:
        refused = open_stream(user, video_id)
        assert problem(refused)["code"] == "too_many_streams"
        assert int(refused.headers["Retry-After"]) > 0
        assert user.get(f"/api/v1/videos/{video_id}").ok
    finally:
        for answer in opened:
            answer.close()
    wait_for_seat(user, video_id).close()


def test_asking_about_a_stream_keeps_no_seat(site: Site) -> None:
    user = site.user()
    video_id = user.upload()
    for _ in range(site.platform.settings.streams_each + 1):
        assert wait_for_seat(user, video_id, "head").ok
