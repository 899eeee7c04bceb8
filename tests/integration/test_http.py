"""The API as every client meets it, with services mounted in the gateway and with proxied ones."""

from __future__ import annotations

import json
import re

import pytest
import requests

from nextstream.domain.accounts import Role
from tests.sites import PASSWORD, Site, problem


def test_a_new_account_can_log_in_and_is_told_who_it_is(site: Site) -> None:
    guest = site.guest()
    who = {"name": "Ada.Lovelace", "password": PASSWORD}
    made = guest.post("/api/v1/auth/register", json=who)
    again = guest.post("/api/v1/auth/register", json={**who, "name": "ada.lovelace"})
    login = guest.post("/api/v1/auth/login", json=who).json()
    me = guest.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {login['access_token']}"})
    assert (made.status_code, made.json()["role"]) == (201, "uploader")
    assert (again.status_code, problem(again)["code"]) == (409, "account_exists")
    assert (login["token_type"], login["expires_in"]) == ("Bearer", 900)
    assert me.json() == made.json()
    assert me.json()["name"] == "ada.lovelace"


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"name": "ada"}, 400, "password: Field required"),
        ({"name": 7, "password": PASSWORD}, 400, "name: Input should be a valid string"),
        ({"name": "ada", "password": PASSWORD, "role": "operator"}, 400, "role: Extra inputs"),
        ({"name": "no spaces", "password": PASSWORD}, 400, "A name has 3 to 64 characters"),
        ({"name": "ada", "password": "secret7"}, 422, "at least 8 characters"),
        ([], 400, "body:"),
    ],
)
def test_a_wrong_body_is_explained_without_repeating_it(
    site: Site, body: object, status: int, says: str
) -> None:
    answer = site.guest().post("/api/v1/auth/register", json=body)
    assert answer.status_code == status
    assert says in problem(answer)["detail"]
    assert "secret7" not in answer.text
    assert PASSWORD not in answer.text


def test_a_body_must_be_json(site: Site) -> None:
    guest = site.guest()
    form = guest.post("/api/v1/auth/login", data={"name": "ada", "password": PASSWORD})
    broken = guest.post("/api/v1/auth/login", data="{", headers={"Content-Type": "application/json"})
    assert (form.status_code, problem(form)["code"]) == (415, "unsupported_media_type")
    assert (broken.status_code, problem(broken)["code"]) == (400, "bad_request")


def test_a_large_body_is_refused_everywhere_but_in_uploads(site: Site) -> None:
    body = json.dumps({"name": "ada", "password": "x" * 1024 * 1024})
    answer = site.guest().post(
        "/api/v1/auth/login", data=body, headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, problem(answer)["code"]) == (413, "request_entity_too_large")


def test_unknown_names_and_wrong_passwords_get_the_same_answer(site: Site) -> None:
    user, guest = site.user(), site.guest()
    answers = [
        problem(guest.post("/api/v1/auth/login", json={"name": name, "password": "not the password"}))
        for name in (user.name, "nobody-at-all")
    ]
    for answer in answers:
        del answer["request_id"]
    assert answers[0] == answers[1]
    assert answers[0]["code"] == "bad_credentials"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/api/v1/videos/none", 401, "not_authenticated"),
        ("GET", "/v/none/master.m3u8", 404, "video_not_found"),
        ("GET", "/v/none/source", 404, "video_not_found"),
        ("PATCH", "/api/v1/auth/login", 405, "method_not_allowed"),
        ("DELETE", "/api/v1/uploads", 405, "method_not_allowed"),
        ("TRACE", "/api/v1/videos", 405, "method_not_allowed"),
    ],
)
def test_every_refusal_is_problem_details(
    site: Site, method: str, path: str, status: int, code: str
) -> None:
    answer = requests.request(method, site.url + path, timeout=30)
    assert (answer.status_code, problem(answer)["code"]) == (status, code)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    if status == 401:
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    if status == 405:
        assert answer.headers["Allow"]


def test_an_upload_becomes_a_video_with_its_addresses_at_once(site: Site) -> None:
    user = site.user()
    answer = user.put("/api/v1/uploads/My%20film.mp4", data=b"film")
    video = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (201, f"/api/v1/videos/{video['id']}")
    assert (video["state"], video["title"], video["size_bytes"]) == ("uploaded", "My film", 4)
    assert video["playback"] == {
        "hls": f"{site.url}/v/{video['id']}/master.m3u8",
        "dash": f"{site.url}/v/{video['id']}/manifest.mpd",
        "page": f"{site.url}/watch/{video['id']}",
        **dict.fromkeys(("poster", "storyboard", "storyboard_json", "thumbnail")),
    }
    found = user.get(answer.headers["Location"]).json()
    assert found == video
    early = user.get(f"/v/{video['id']}/master.m3u8")
    assert (early.status_code, problem(early)["code"]) == (404, "video_not_ready")
    assert early.headers["Retry-After"]
    assert early.headers["Access-Control-Allow-Origin"] == "*"


def test_a_list_is_paged_to_its_end_newest_first(site: Site) -> None:
    user = site.user()
    made = [user.upload(name=f"{number}.mp4") for number in range(5)]
    found, before = [], None
    for _ in range(3):
        page = user.get("/api/v1/videos", params={"limit": 2, "before": before}).json()
        found += [video["id"] for video in page["items"]]
        before = page["next"]
    assert (found, before) == (made[::-1], None)


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=many"])
def test_an_odd_query_is_explained(site: Site, query: str) -> None:
    answer = site.user().get(f"/api/v1/videos?{query}")
    assert answer.status_code == 400
    assert problem(answer)["detail"].startswith("limit: Input should be")


def test_others_videos_are_not_there(site: Site) -> None:
    owner, other, operator = site.user(), site.user(), site.user(Role.OPERATOR)
    video_id = owner.upload()
    owner.upload()
    path = f"/api/v1/videos/{video_id}"
    assert problem(other.get(path))["code"] == "video_not_found"
    assert problem(other.delete(path))["code"] == "video_not_found"
    assert other.get("/api/v1/videos").json()["items"] == []
    place = owner.get("/api/v1/videos", params={"limit": 1}).json()["next"]
    assert owner.get("/api/v1/videos", params={"before": place}).json()["items"][0]["id"] == video_id
    assert other.get("/api/v1/videos", params={"before": place}).json()["items"] == []
    assert problem(other.get("/api/v1/videos", params={"before": video_id}))["code"] == "bad_request"
    assert operator.get(path).json()["id"] == video_id


def test_a_deleted_video_leaves_nothing(site: Site) -> None:
    user = site.user()
    video_id = user.upload()
    prefix = f"videos/{video_id}/"
    assert list(site.platform.storage.list(prefix))
    answer = user.delete(f"/api/v1/videos/{video_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert not list(site.platform.storage.list(prefix))
    assert problem(user.get(f"/api/v1/videos/{video_id}"))["code"] == "video_not_found"


def test_viewers_may_not_upload(site: Site) -> None:
    viewer = site.user(Role.VIEWER)
    answer = viewer.put("/api/v1/uploads/clip.mp4", data=b"film")
    assert (answer.status_code, problem(answer)["code"]) == (403, "not_allowed")
    assert viewer.get("/api/v1/videos").json()["items"] == []


def test_events_tell_operators_what_happened_in_order(site: Site) -> None:
    user, operator = site.user(), site.user(Role.OPERATOR)
    video_id = user.upload()
    user.delete(f"/api/v1/videos/{video_id}")
    page = operator.get("/api/v1/events", params={"key": video_id, "limit": 3}).json()
    rest = operator.get("/api/v1/events", params={"key": video_id, "after": page["next"]}).json()
    types = [item["event"]["type"] for item in page["items"] + rest["items"]]
    assert types == ["video.created", "video.uploaded", "video.deleted"]
    assert page["items"][0]["event"]["specversion"] == "1.0"
    refused = user.get("/api/v1/events")
    assert (refused.status_code, problem(refused)["code"]) == (403, "not_allowed")


def test_a_request_id_goes_from_the_client_to_the_log_and_the_event(site: Site) -> None:
    user, operator = site.user(), site.user(Role.OPERATOR)
    mine = f"mine-{user.name}"
    answer = user.put("/api/v1/uploads/a.mp4", data=b"film", headers={"X-Request-ID": mine})
    assert answer.headers["X-Request-ID"] == mine
    events = operator.get("/api/v1/events", params={"key": answer.json()["id"]}).json()["items"]
    assert {item["event"]["requestid"] for item in events} == {mine}
    lines = [json.loads(line) for line in site.log().splitlines() if mine in line]
    assert {"video uploaded", "request answered"} <= {line["event"] for line in lines}


@pytest.mark.parametrize("odd", ["a b", "x" * 65, "<script>", "ä".encode().decode("latin-1")])
def test_an_odd_request_id_is_replaced(site: Site, odd: str) -> None:
    answer = site.guest().get("/healthz", headers={"X-Request-ID": odd})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-ID"])


def test_a_site_is_ready_when_all_it_needs_answers(site: Site) -> None:
    answer = site.guest().get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    assert set(answer.json()["checks"]) in ({"database", "storage"}, {"auth", "upload", "streaming"})


def test_no_answer_carries_a_header_twice(site: Site) -> None:
    for path in ("/healthz", "/api/v1/auth/me", "/v/none/master.m3u8", "/"):
        with requests.get(site.url + path, timeout=30, stream=True) as answer:
            names = [name.lower() for name in answer.raw.headers.keys()]  # noqa: SIM118  it repeats
            counted = [name for name, _ in answer.raw.headers.iteritems()]
        assert len(counted) == len(set(map(str.lower, counted))) == len(names)
