"""One's account, everyone's for operators, the audit log, and keys that change under traffic."""

from __future__ import annotations

import json
import statistics
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from nextstream.adapters.clock import SystemClock
from nextstream.adapters.signing_folder import FolderSigningKeys
from nextstream.domain.accounts import Role
from tests import sites
from tests.sites import PASSWORD, Client, Site, parse, problem

ME = "/api/v1/auth/me"
LOGIN = "/api/v1/auth/login"
KEYS = "/api/v1/auth/keys"
SESSIONS = "/api/v1/auth/sessions"


def make_key(user: Client, *scopes: str) -> tuple[str, dict[str, str]]:
    made = user.post(KEYS, json={"name": "CI", "scopes": list(scopes), "expires_in_days": 1})
    assert (made.status_code, made.headers["Location"]) == (201, f"{KEYS}/{made.json()['id']}")
    return made.json()["id"], {"Authorization": f"Bearer {made.json()['key']}"}


def test_an_api_key_works_wherever_a_token_does_until_it_is_revoked(site: Site) -> None:
    user = site.user()
    key_id, head = make_key(user, "uploads:write", "videos:read")
    guest = site.guest()
    made = guest.put("/api/v1/uploads/a.mp4", data=b"film", headers=head)
    assert made.status_code == 201
    assert guest.get(f"/api/v1/videos/{made.json()['id']}", headers=head).status_code == 200
    assert guest.get(ME, headers=head).json()["scopes"] == ["uploads:write", "videos:read"]
    refused = guest.delete(f"/api/v1/videos/{made.json()['id']}", headers=head)
    assert (refused.status_code, problem(refused)["code"]) == (403, "insufficient_scope")
    [listed] = user.get(KEYS).json()["items"]
    assert (listed["id"], listed["used_at"] is not None) == (key_id, True)
    assert head["Authorization"].rpartition("_")[2] not in json.dumps(listed)
    assert user.delete(f"{KEYS}/{key_id}").status_code == 204
    for path in (ME, "/api/v1/videos"):
        answer = guest.get(path, headers=head)
        assert (answer.status_code, problem(answer)["code"]) == (401, "invalid_token")


def test_a_key_in_another_place_than_the_header_is_none(site: Site) -> None:
    _, head = make_key(site.user(), "videos:read")
    key = head["Authorization"].removeprefix("Bearer ")
    assert site.guest().get(ME, params={"access_token": key, "jwt": key}).status_code == 401
    assert site.guest().get(ME, cookies={"ns_access": key}).status_code == 401


def test_sessions_are_seen_and_ended_from_each_other(site: Site) -> None:
    user, other = site.user(), site.guest()
    login = {"name": user.name, "password": PASSWORD}
    token = other.post(LOGIN, json=login, headers={"User-Agent": "tv/1"}).json()["access_token"]
    listed = user.get(SESSIONS).json()["items"]
    assert [each["current"] for each in listed].count(True) == 1
    [tv] = [each for each in listed if each["user_agent"] == "tv/1"]
    assert tv["address"] == "127.0.0.1"
    head = {"Authorization": f"Bearer {token}"}
    assert other.get("/api/v1/videos", headers=head).status_code == 200
    assert user.delete(f"{SESSIONS}/{tv['id']}").status_code == 204
    assert other.get("/api/v1/videos", headers=head).status_code == 401
    assert user.delete(SESSIONS).json() == {"sessions_ended": 1}
    assert user.get(ME).status_code == 401


def test_a_password_is_changed_with_the_current_one_and_ends_other_logins(site: Site) -> None:
    user, elsewhere = site.user(), site.guest()
    login = {"name": user.name, "password": PASSWORD}
    old = elsewhere.post(LOGIN, json=login).json()
    wrong = user.post("/api/v1/auth/password", json={"current": "not this", "new": "a new password"})
    assert (wrong.status_code, problem(wrong)["code"]) == (403, "wrong_password")
    weak = user.post("/api/v1/auth/password", json={"current": PASSWORD, "new": "password1"})
    assert (weak.status_code, problem(weak)["code"]) == (422, "weak_password")
    changed = user.post("/api/v1/auth/password", json={"current": PASSWORD, "new": "a new password"})
    assert (changed.status_code, changed.json()) == (200, {"sessions_ended": 1})
    assert user.get(ME).status_code == 200
    head = {"Authorization": f"Bearer {old['access_token']}"}
    assert elsewhere.get(ME, headers=head).status_code == 401
    assert elsewhere.post(LOGIN, json=login).status_code == 401
    assert elsewhere.post(LOGIN, json={**login, "password": "a new password"}).status_code == 200


def test_an_operator_changes_accounts_and_the_log_tells_who_did(site: Site) -> None:
    operator, user = site.user(Role.OPERATOR), site.user()
    path = f"/api/v1/accounts/{user.account_id}"
    assert operator.get(path).json()["role"] == "uploader"
    request_id = f"r-{uuid.uuid4().hex}"
    changed = operator.patch(path, json={"role": "viewer"}, headers={"X-Request-ID": request_id})
    assert changed.json()["role"] == "viewer"
    refused = user.put("/api/v1/uploads/a.mp4", data=b"film")
    assert (refused.status_code, problem(refused)["code"]) == (403, "not_allowed")
    assert operator.patch(path, json={"disabled": True}).json()["disabled_at"]
    assert user.get(ME).status_code == 401
    answer = site.guest().post(LOGIN, json={"name": user.name, "password": PASSWORD})
    assert (answer.status_code, problem(answer)["code"]) == (401, "bad_credentials")

    log = operator.get("/api/v1/audit", params={"account": operator.account_id}).json()["items"]
    [entry] = [each for each in log if each["request_id"] == request_id]
    assert (entry["action"], entry["result"], entry["address"]) == (
        "auth.role_changed",
        "ok",
        "127.0.0.1",
    )
    assert (entry["actor_id"], entry["subject_id"]) == (operator.account_id, user.account_id)
    assert entry["data"] == {"account_id": user.account_id, "before": "uploader", "after": "viewer"}
    failed = operator.get("/api/v1/audit", params={"action": "auth.login_failed"}).json()["items"]
    assert user.account_id in {each["actor_id"] for each in failed}
    assert PASSWORD not in json.dumps(operator.get("/api/v1/audit").json())


def test_an_operator_gives_an_account_quotas_of_its_own_and_takes_them_back(site: Site) -> None:
    operator, user = site.user(Role.OPERATOR), site.user()
    path = f"/api/v1/accounts/{user.account_id}"
    changed = operator.patch(path, json={"quota_bytes": 10, "quota_uploads": 0}).json()
    assert [changed[f"quota_{name}"] for name in ("bytes", "minutes", "uploads")] == [10, None, 0]
    assert user.get("/api/v1/auth/quota").json()["bytes"] == {"allowed": 10, "used": 0}
    refused = user.put("/api/v1/uploads/a.mp4", data=b"x" * 11)
    assert (refused.status_code, problem(refused)["code"]) == (413, "quota_exceeded")
    assert operator.patch(path, json={"role": "uploader"}).json()["quota_bytes"] == 10
    assert operator.patch(path, json={"quota_bytes": None}).json()["quota_bytes"] is None
    assert user.put("/api/v1/uploads/a.mp4", data=b"x" * 11).status_code == 201
    [newest, *_] = operator.get("/api/v1/audit", params={"action": "auth.quotas_changed"}).json()[
        "items"
    ]
    assert newest["data"] == {"account_id": user.account_id, "quota_bytes": None}


def test_an_operator_logs_an_account_out_everywhere_and_its_keys_stay(site: Site) -> None:
    operator, user = site.user(Role.OPERATOR), site.user()
    key = user.post("/api/v1/auth/keys", json={"name": "ci", "scopes": ["videos:read"]}).json()["key"]
    path = f"/api/v1/accounts/{user.account_id}/sessions"
    assert operator.delete(path).json() == {"sessions_ended": 1}
    assert user.get(ME).status_code == 401
    assert site.guest().get(ME, headers={"Authorization": f"Bearer {key}"}).status_code == 200
    assert operator.delete(path).json() == {"sessions_ended": 0}


def test_the_audit_log_and_the_accounts_are_paged_to_their_ends(site: Site) -> None:
    operator = site.user(Role.OPERATOR)
    places, before = [], None
    while True:
        page = operator.get("/api/v1/audit", params={"limit": 100, "before": before}).json()
        places += [entry["place"] for entry in page["items"]]
        before = page["next"]
        if before is None:
            break
    assert places == sorted(set(places), reverse=True)
    names, after = [], None
    while True:
        listed = operator.get("/api/v1/accounts", params={"limit": 7, "after": after}).json()
        names += [account["name"] for account in listed["items"]]
        after = listed["next"]
        if after is None:
            break
    assert operator.name in names
    assert names == sorted(set(names))


def test_no_password_hash_leaves_the_house(site: Site) -> None:
    operator = site.user(Role.OPERATOR)
    for path in ("/api/v1/accounts", f"/api/v1/accounts/{operator.account_id}", ME, "/api/v1/audit"):
        assert "argon2" not in operator.get(path).text
    for text in (PASSWORD, "argon2", "nsr_"):
        assert text not in site.log()


def test_the_edge_turns_a_large_body_away_unread(site: Site) -> None:
    head = "PUT /api/v1/uploads/a.mp4 HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n"
    status, body = parse(site.send(f"{head}Authorization: Bearer a.b.c\r\n\r\n".encode()))
    assert (status, body["code"]) == (401, "invalid_token")


def test_who_a_client_says_it_is_is_not_believed(site: Site) -> None:
    operator = site.user(Role.OPERATOR)
    named = ("X-User", "X-Account-Id", "X-Remote-User", "Remote-User", "X-Forwarded-User", "X-Role")
    answer = site.guest().get(ME, headers=dict.fromkeys(named, operator.account_id))
    assert answer.status_code == 401


def test_unknown_names_and_wrong_passwords_take_the_same_time(site: Site) -> None:
    user, guest = site.user(), site.guest()

    def took(name: str) -> float:
        began = time.perf_counter()
        assert guest.post(LOGIN, json={"name": name, "password": "not this"}).status_code == 401
        return time.perf_counter() - began

    pairs = [(took(user.name), took(f"nobody-{n}")) for n in range(4)]  # fewer than make one wait
    assert statistics.median(known / unknown for known, unknown in pairs) == pytest.approx(1, abs=0.6)


@pytest.fixture(scope="module")
def short_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Give separate services whose keys and tokens live for seconds."""
    folder: Path = tmp_path_factory.mktemp("short")
    with sites.run(folder, separate=True, keys_cache_s="1", access_token_s="2") as running:
        yield running


def test_keys_rotate_under_traffic_and_nobody_notices(short_site: Site) -> None:
    site, done, seen = short_site, threading.Event(), set[int]()
    keys = FolderSigningKeys(site.folder / "keys", 2, SystemClock())

    def use() -> None:
        """Refresh as often as a client would, and ask two services all the time."""
        user = site.user()
        login = {"name": user.name, "password": PASSWORD}
        pair = requests.post(site.url + LOGIN, json=login, timeout=60).json()
        while not done.is_set():
            refresh = {"Authorization": f"Bearer {pair['refresh_token']}"}
            renewed = requests.post(f"{site.url}/api/v1/auth/refresh", headers=refresh, timeout=60)
            seen.add(renewed.status_code)
            pair = renewed.json()
            head = {"Authorization": f"Bearer {pair['access_token']}"}
            for path in (ME, "/api/v1/videos") * 3:
                seen.add(requests.get(site.url + path, headers=head, timeout=60).status_code)

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    signers = {keys.signer().kid}
    for _ in range(3):
        new = keys.rotate(2)
        deadline = time.monotonic() + 60
        while keys.signer().kid != new.kid or len(keys.published()) > 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        signers.add(new.kid)
        time.sleep(1)  # with tokens of the new key in use
    done.set()
    for thread in threads:
        thread.join()
    assert seen == {200}
    assert len(signers) == 4
