"""Our client before a server that says what it is told to say."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nextstream.client import (
    Client,
    NotAnswered,
    NotYet,
    Refused,
    Unreachable,
    VideoEnded,
    account_values,
    following,
    values,
)
from nextstream.client.downloads import BLOCK_BYTES
from nextstream.client.following import Message, parse
from nextstream.domain import accounts, video
from nextstream.ports import Order

CUT = (0, {}, b"")


def problem(status: int, code: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    body = {"status": status, "code": code, "detail": "A sentence.", "request_id": "r1"}
    kind = {
        "Content-Type": "application/problem+json",
        **{k.replace("_", "-"): headers[k] for k in headers},
    }
    return status, kind, json.dumps(body).encode()


def answer(body: object, status: int = 200) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "application/json"}, json.dumps(body).encode()


def stream(*lines: str) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Type": "text/event-stream"}, "\n".join(lines).encode()


def a_video(**members: Any) -> dict[str, Any]:
    urls = {"hls": "h", "dash": "d", "page": "p"}
    made = {
        "id": "v1",
        "title": "t",
        "filename": "f",
        "version": 1,
        "created_at": "2026-01-01T00:00:00Z",
    }
    stands = {"state": "encoding", "visibility": "public", "playable": False, "priority": "normal"}
    return {**made, **stands, "playback": urls, **members}


ACCOUNT = {
    "id": "a",
    "name": "ada",
    "role": "viewer",
    "scopes": [],
    "created_at": "2026-01-01T00:00:00Z",
}
READY = a_video(state="ready", playable=True)


@dataclass
class Script:
    """What a server answers in turn, and what it was asked."""

    url: str = ""
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def client(self) -> Client:
        client = Client(self.url, "ns_key")
        client._http.sleep = self.slept.append
        return client

    slept: list[float] = field(default_factory=list)


@pytest.fixture
def script() -> Iterator[Script]:
    told = Script()

    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            told.asked.append((self.command, self.path, dict(self.headers)))
            status, headers, body = told.answers.pop(0)
            if not status:
                return  # the connection closes without an answer
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_DELETE = do  # noqa: N815  http.server's names

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield told
    server.shutdown()
    server.server_close()


def test_what_passes_is_asked_again_as_late_as_the_server_wants(script: Script) -> None:
    script.answers = [problem(503, "server_busy", Retry_After="7"), CUT, answer(ACCOUNT)]
    assert script.client().me.get().name == "ada"
    assert script.slept[0] == 7
    assert 0 < script.slept[1] < 7


@pytest.mark.parametrize(
    ("first", "error"),
    [
        (problem(404, "not_found"), Refused),
        (problem(429, "too_many_requests", Retry_After="900"), Refused),
        (answer([1]), NotAnswered),
        ((200, {"Content-Type": "text/html"}, b"<html>"), NotAnswered),
    ],
)
def test_what_stays_is_told_at_once(script: Script, first: Any, error: type[Exception]) -> None:
    script.answers = [first]
    with pytest.raises(error):
        script.client().me.get()
    assert script.slept == []


@pytest.mark.parametrize("url", ["example.org", "localhost:8000", "ftp://example.org", "http://"])
def test_an_address_that_is_none_is_told_at_once(url: str) -> None:
    client, slept = Client(url, "ns_key"), list[float]()
    client._http.sleep = slept.append
    with pytest.raises(NotAnswered, match="https://"):
        next(client.videos.list())
    assert slept == []


def test_an_address_that_leads_elsewhere_is_told(script: Script, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"film")
    script.answers = [(301, {"Location": "https://example.org/api/v1/uploads/tus"}, b"")] * 2
    with pytest.raises(NotAnswered, match=r"leads to https://example\.org"):
        script.client().uploads.send(tmp_path / "film.mp4")
    with pytest.raises(NotAnswered, match="leads to"):
        script.client().videos.revoke("v1")


def test_tries_come_to_an_end(script: Script) -> None:
    script.answers = [problem(502, "bad_gateway")] * 3 + [CUT] * 2
    with pytest.raises(Unreachable):
        script.client().me.get()
    assert len(script.asked) == 5


def test_a_creation_is_repeated_under_its_key_and_another_post_not(script: Script) -> None:
    client = script.client()
    script.answers = [CUT, answer(READY, 202), CUT]
    client.videos.encode("v1", crf=20)
    keys = {headers["Idempotency-Key"] for _, _, headers in script.asked}
    assert len(keys) == 1
    with pytest.raises(Unreachable):
        client.videos.cancel("v1")
    assert len(script.asked) == 3


def test_a_change_with_an_etag_is_not_repeated_since_the_first_may_have_worked(script: Script) -> None:
    script.answers = [CUT]
    with pytest.raises(Unreachable):
        script.client().videos.change("v1", title="n", if_match='"1"')
    assert len(script.asked) == 1


def test_a_delete_whose_answer_was_lost_is_done(script: Script) -> None:
    client = script.client()
    script.answers = [CUT, problem(404, "video_not_found"), problem(404, "video_not_found")]
    client.videos.delete("v1")
    with pytest.raises(Refused):
        client.videos.delete("v1")


def test_who_we_are_is_told_to_our_server_alone(script: Script) -> None:
    script.answers = [answer(ACCOUNT), answer({})]
    client = script.client()
    client.me.get()
    client._http.call("GET", f"{script.url.replace('127.0.0.1', 'localhost')}/elsewhere")
    assert ["Authorization" in headers for _, _, headers in script.asked] == [True, False]


def test_where_one_stands_in_the_quota_is_told(script: Script) -> None:
    status, headers, body = answer(ACCOUNT)
    rate = {"RateLimit-Limit": "60", "RateLimit-Remaining": "59", "RateLimit-Reset": "12"}
    script.answers = [(status, {**headers, **rate}, body)]
    client = script.client()
    client.me.get()
    assert client.rate
    assert (client.rate.limit, client.rate.remaining, client.rate.reset_s) == (60, 59, 12)


def test_messages_of_a_stream_are_read_as_browsers_do() -> None:
    lines = [
        b"retry: 5",
        b": alive",
        b"event: progress",
        b"id: 7",
        b"data: {",
        b"data:  1}",
        b"",
        b"data: x",
    ]
    assert list(parse(lines)) == [Message("progress", "7", "{\n 1}")]
    assert list(parse([b"data: x", b""])) == [Message("message", "", "x")]


def test_a_video_is_followed_over_streams_that_break_off_each_event_once(script: Script) -> None:
    event = {"id": "e1", "type": "video.playable", "subject": "v1", "time": "2026-01-01T00:00:00Z"}
    first = [
        "event: progress",
        "id: 3",
        f"data: {json.dumps(a_video())}",
        "",
        f"id: 4\ndata: {json.dumps(event)}",
        "",
    ]
    last = ["event: progress", "id: 9", f"data: {json.dumps(READY)}", "", ""]
    script.answers = [stream(*first, ""), answer(a_video()), stream(*last)]
    found = list(script.client().videos.follow("v1"))
    assert [getattr(each, "type", None) or each.state for each in found] == [
        "encoding",
        "video.playable",
        "ready",
    ]
    assert script.asked[2][2]["Last-Event-ID"] == "4"


def test_without_streams_a_video_is_asked_for_until_it_is_done(script: Script) -> None:
    busy = problem(503, "too_many_streams", Retry_After="5")
    playable = a_video(playable=True)
    script.answers = [busy, answer(a_video()), busy, answer(playable), busy, answer(READY)]
    shown: list[values.Video] = []
    assert script.client().videos.wait("v1", show=shown.append).state is values.State.READY
    assert [each.playable for each in shown] == [False, True, True]
    script.answers = [busy, answer(playable)]
    assert script.client().videos.wait("v1", "playable").state is values.State.ENCODING


def test_waiting_ends_with_a_failure_with_time_and_for_what_is_not_there(script: Script) -> None:
    failure = {"code": "source_not_video", "message": "This is no video.", "retryable": False}
    failed = json.dumps(a_video(state="failed", failure=failure))
    script.answers = [stream("event: progress", f"data: {failed}", "", "")]
    with pytest.raises(VideoEnded, match=r"This is no video\.") as ended:
        script.client().videos.wait("v1")
    assert ended.value.video.failure
    busy = problem(503, "too_many_streams", Retry_After="5")
    script.answers = [busy, answer(a_video())]
    with pytest.raises(NotYet):
        script.client().videos.wait("v1", timeout_s=0)
    script.answers = [problem(404, "video_not_found")]
    with pytest.raises(Refused):
        script.client().videos.wait("v1")


def test_waiting_ends_in_time_though_nothing_happens(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A second goes by between any two looks at the time.
    monkeypatch.setattr(following, "time", SimpleNamespace(monotonic=count().__next__))
    now = ["event: progress", f"data: {json.dumps(a_video())}", "", ""]
    script.answers = [stream(*now, *[": still here", ""] * 3), answer(READY)]
    with pytest.raises(NotYet):  # else it would go on, and hear that it is ready
        script.client().videos.wait("v1", timeout_s=2)
    busy = problem(503, "too_many_streams", Retry_After="5")
    script.answers = [busy, answer(a_video()), busy, answer(a_video()), busy, answer(READY)]
    with pytest.raises(NotYet):
        script.client().videos.wait("v1", timeout_s=1)


def test_a_download_goes_on_where_it_broke_off_and_is_whole_or_not_there(
    script: Script, tmp_path: Path
) -> None:
    url = f"{script.url}/v/v1/download/v240.mp4"
    offer = a_video(downloads=[{"rendition": "v240", "type": "video/mp4", "url": url}])
    film = values.read(values.Video, offer)
    head, tail = bytes(BLOCK_BYTES), b"tail"
    whole = {"ETag": '"1"', "Content-Length": str(BLOCK_BYTES + 4)}
    script.answers = [(200, whole, head + b"t"), (206, {}, tail)]
    told: list[tuple[int, int]] = []
    saved = script.client().downloads.save(film, tmp_path / "f.mp4", show=lambda *at: told.append(at))
    assert saved.read_bytes() == head + tail
    assert script.asked[1][2]["Range"] == f"bytes={BLOCK_BYTES}-"
    assert script.asked[1][2]["If-Range"] == '"1"'
    assert told[-1] == (BLOCK_BYTES + 4,) * 2
    other = b"x" * (BLOCK_BYTES + 4)
    script.answers = [(200, whole, head + b"t"), (200, {"ETag": '"2"'}, other)]
    assert script.client().downloads.save(film, tmp_path / "g.mp4").read_bytes() == other
    script.answers = [problem(404, "not_found")]
    with pytest.raises(Refused):
        script.client().downloads.save(film, tmp_path / "h.mp4")
    with pytest.raises(NotYet, match="no download v720"):
        script.client().downloads.save(film, tmp_path / "h.mp4", rendition="v720")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.mp4", "g.mp4"]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (values.State, video.State),
        (values.Visibility, video.Visibility),
        (values.Priority, video.Priority),
        (values.Order, Order),
        (account_values.Role, accounts.Role),
        (account_values.Scope, accounts.Scope),
    ],
)
def test_the_client_knows_the_words_of_the_server(ours: Any, theirs: Any) -> None:
    assert [*ours] == [*theirs]
