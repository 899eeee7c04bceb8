"""Tokens, browser cookies and what protects them."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest

from tests.sites import KEY, PASSWORD, Client, Site, problem

ME = "/api/v1/auth/me"


def browser(site: Site) -> Client:
    """Give a client with the cookies of a login."""
    known = site.user()
    guest = site.guest()
    login = {"name": known.name, "password": PASSWORD, "cookies": True}
    answer = guest.post("/api/v1/auth/login", json=login)
    assert "access_token" not in answer.json()
    return Client(site, known.account_id, known.name, guest.session)


def proof(client: Client, name: str = "ns_csrf") -> dict[str, str]:
    return {"X-CSRF-TOKEN": client.session.cookies[name]}


def claims(client: Client) -> dict[str, Any]:
    token = client.token.removeprefix("Bearer ")
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def test_cookies_keep_the_tokens_from_scripts_and_other_sites(site: Site) -> None:
    user = site.user()
    login = {"name": user.name, "password": PASSWORD, "cookies": True}
    answer = site.guest().post("/api/v1/auth/login", json=login)
    cookies = {line.split("=")[0]: line for line in answer.raw.headers.getlist("Set-Cookie")}
    assert set(cookies) == {"ns_access", "ns_refresh", "ns_csrf", "ns_refresh_csrf"}
    assert all("SameSite=Lax" in line for line in cookies.values())
    assert {name for name, line in cookies.items() if "HttpOnly" in line} == {"ns_access", "ns_refresh"}
    assert "Path=/api/v1/auth" in cookies["ns_refresh"]


def test_a_cookie_alone_may_read_but_change_nothing(site: Site) -> None:
    client = browser(site)
    assert client.get(ME).json()["name"] == client.name
    forged = client.put("/api/v1/uploads/clip.mp4", data=b"film")
    assert (forged.status_code, problem(forged)["code"]) == (403, "not_allowed")
    ours = client.put("/api/v1/uploads/clip.mp4", data=b"film", headers=proof(client))
    assert ours.status_code == 201


@pytest.mark.parametrize("origin", ["cross-site", "same-site"])
def test_another_sites_page_may_not_use_the_cookies_even_with_the_header(
    site: Site, origin: str
) -> None:
    client = browser(site)
    headers = {**proof(client), "Sec-Fetch-Site": origin}
    answer = client.put("/api/v1/uploads/clip.mp4", data=b"film", headers=headers)
    assert answer.status_code == 403


def test_a_refresh_token_gives_a_new_access_token_by_the_way_it_came(site: Site) -> None:
    user = site.user()
    pair = user.post("/api/v1/auth/login", json={"name": user.name, "password": PASSWORD}).json()
    header = {"Authorization": f"Bearer {pair['refresh_token']}"}
    made = site.guest().post("/api/v1/auth/refresh", headers=header).json()
    me = site.guest().get(ME, headers={"Authorization": f"Bearer {made['access_token']}"})
    assert me.json()["name"] == user.name

    client = browser(site)
    before = client.session.cookies["ns_access"]
    time.sleep(1)  # tokens carry whole seconds
    answer = client.post("/api/v1/auth/refresh", headers=proof(client, "ns_refresh_csrf"))
    assert (answer.status_code, set(answer.json())) == (200, {"expires_in"})
    assert client.session.cookies["ns_access"] != before
    assert client.get(ME).json()["name"] == client.name


def test_logging_out_removes_all_cookies(site: Site) -> None:
    client = browser(site)
    assert client.post("/api/v1/auth/logout").status_code == 204
    assert not client.session.cookies.get_dict()
    assert client.get(ME).status_code == 401


def test_an_access_token_is_no_refresh_token_and_the_other_way_round(site: Site) -> None:
    user = site.user()
    pair = user.post("/api/v1/auth/login", json={"name": user.name, "password": PASSWORD}).json()
    refresh = {"Authorization": f"Bearer {pair['refresh_token']}"}
    assert problem(site.guest().get(ME, headers=refresh))["code"] == "invalid_token"
    assert problem(user.post("/api/v1/auth/refresh"))["code"] == "invalid_token"


@pytest.mark.parametrize(
    "change",
    [
        {"exp": 1},
        {"exp": None},
        {"jti": None},
        {"aud": "someone else"},
        {"aud": None},
        {"iss": "someone else"},
        {"sub": None},
        {"sub": "nobody"},
        {"type": "refresh"},
    ],
    ids=str,
)
def test_a_token_that_is_not_whole_is_invalid(site: Site, change: dict[str, Any]) -> None:
    whole = {**claims(site.user()), **change}
    token = jwt.encode({k: v for k, v in whole.items() if v is not None}, KEY, "HS256")
    answer = site.guest().get(ME, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    wanted = "not_authenticated" if change == {"sub": "nobody"} else "invalid_token"
    assert problem(answer)["code"] == wanted


def test_a_token_made_right_is_good(site: Site) -> None:
    token = jwt.encode(claims(site.user()), KEY, "HS256")
    assert site.guest().get(ME, headers={"Authorization": f"Bearer {token}"}).status_code == 200


@pytest.mark.parametrize("how", ["another key", "none", "HS512", "garbage", "tampered"])
def test_a_forged_token_is_invalid_and_says_so(site: Site, how: str) -> None:
    user = site.user()
    whole = claims(user)
    token = {
        "another key": jwt.encode(whole, "k" * 40, "HS256"),
        "none": jwt.encode(whole, None, "none"),
        "HS512": jwt.encode(whole, KEY * 2, "HS512"),
        "garbage": "a.b.c",
        "tampered": user.token.removeprefix("Bearer ")[:-4] + "AAAA",
    }[how]
    answer = site.guest().get(ME, headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, problem(answer)["code"]) == (401, "invalid_token")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer a b", "Basic YTpi", "Bearer ,", "ä".encode().decode("latin-1")]
)
def test_an_odd_authorization_header_is_401(site: Site, header: str) -> None:
    answer = site.guest().get(ME, headers={"Authorization": header})
    assert answer.status_code == 401
    problem(answer)
