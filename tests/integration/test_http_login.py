"""Tokens, browser cookies and what protects them."""

from __future__ import annotations

import base64
import hmac
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt import PyJWK
from jwt.algorithms import OKPAlgorithm

from nextstream.adapters.clock import SystemClock
from nextstream.adapters.signing_folder import FolderSigningKeys
from nextstream.domain.signing import SigningKey
from tests.sites import KEY, PASSWORD, Client, Site, problem

ME = "/api/v1/auth/me"
REFRESH = "/api/v1/auth/refresh"


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
    strict = {name for name, line in cookies.items() if "SameSite=Strict" in line}
    assert strict == {"ns_refresh", "ns_refresh_csrf"}
    assert all("SameSite=Lax" in cookies[name] for name in set(cookies) - strict)
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


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def log_in(user: Client) -> dict[str, str]:
    login = {"name": user.name, "password": PASSWORD}
    pair: dict[str, str] = user.site.guest().post("/api/v1/auth/login", json=login).json()
    return pair


def test_a_refresh_token_gives_new_tokens_by_the_way_it_came(site: Site) -> None:
    user = site.user()
    pair = log_in(user)
    made = site.guest().post(REFRESH, headers=bearer(pair["refresh_token"])).json()
    assert set(made) == set(pair)
    assert made["refresh_token"] != pair["refresh_token"]
    me = site.guest().get(ME, headers=bearer(made["access_token"]))
    assert me.json()["name"] == user.name

    client = browser(site)
    before = client.session.cookies.get_dict()
    answer = client.post(REFRESH, headers=proof(client, "ns_refresh_csrf"))
    assert (answer.status_code, set(answer.json())) == (200, {"expires_in"})
    after = client.session.cookies.get_dict()
    assert all(after[name] != before[name] for name in before)
    assert client.get(ME).json()["name"] == client.name


def test_a_refresh_cookie_needs_its_csrf_header(site: Site) -> None:
    client = browser(site)
    for headers in ({}, {"X-CSRF-TOKEN": "guess"}, proof(client)):
        refused = client.post(REFRESH, headers=headers)
        assert (refused.status_code, problem(refused)["code"]) == (403, "not_allowed")
    assert client.post(REFRESH, headers=proof(client, "ns_refresh_csrf")).status_code == 200


def test_of_fifty_refreshes_at_once_all_get_the_one_successor(site: Site) -> None:
    pair = log_in(site.user())

    def refresh(_: int) -> tuple[int, str]:
        answer = requests.post(site.url + REFRESH, headers=bearer(pair["refresh_token"]), timeout=60)
        return answer.status_code, answer.json().get("refresh_token", answer.text)

    with ThreadPoolExecutor(16) as pool:
        [(status, successor)] = set(pool.map(refresh, range(50)))
    assert status == 200
    assert site.guest().post(REFRESH, headers=bearer(successor)).status_code == 200


def test_a_refresh_token_that_comes_back_late_ends_the_login(site: Site) -> None:
    first = log_in(site.user())
    second = site.guest().post(REFRESH, headers=bearer(first["refresh_token"])).json()
    third = site.guest().post(REFRESH, headers=bearer(second["refresh_token"])).json()
    for token in (first, second, third):  # the first is two rotations old
        refused = site.guest().post(REFRESH, headers=bearer(token["refresh_token"]))
        assert (refused.status_code, problem(refused)["code"]) == (401, "invalid_token")
    assert site.guest().get(ME, headers=bearer(third["access_token"])).status_code == 401


def test_logging_out_removes_all_cookies_and_ends_the_session_everywhere(site: Site) -> None:
    client = browser(site)
    access = client.session.cookies["ns_access"]
    assert site.guest().get("/api/v1/videos", headers=bearer(access)).status_code == 200
    assert client.post("/api/v1/auth/logout").status_code == 204
    assert not client.session.cookies.get_dict()
    assert client.get(ME).status_code == 401
    for path in (ME, "/api/v1/videos"):  # of two services
        assert site.guest().get(path, headers=bearer(access)).status_code == 401


def test_a_form_of_another_site_logs_nobody_out(site: Site) -> None:
    """A browser sends it without our cookies, but would take new ones from the answer."""
    form = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "cross-site"}
    answer = requests.post(f"{site.url}/api/v1/auth/logout", headers=form, timeout=60)
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
def test_a_program_logs_out_by_either_token(site: Site, which: str) -> None:
    pair = log_in(site.user())
    assert site.guest().post("/api/v1/auth/logout", headers=bearer(pair[which])).status_code == 204
    assert site.guest().get(ME, headers=bearer(pair["access_token"])).status_code == 401
    assert site.guest().post(REFRESH, headers=bearer(pair["refresh_token"])).status_code == 401


def test_an_access_token_is_no_refresh_token_and_the_other_way_round(site: Site) -> None:
    pair = log_in(site.user())
    as_access = site.guest().get(ME, headers=bearer(pair["refresh_token"]))
    as_refresh = site.guest().post(REFRESH, headers=bearer(pair["access_token"]))
    for refused in (as_access, as_refresh):
        assert (refused.status_code, problem(refused)["code"]) == (401, "invalid_token")


# Forged access tokens. The site's own keys lie in its folder, so that all but one thing is right.


_known: dict[str, Client] = {}


@pytest.fixture
def known(site: Site) -> Client:
    """Give one user of a site for all forgeries, since making one takes two slow hashes."""
    return _known.setdefault(site.url, _known.get(site.url) or site.user())


def signer(site: Site) -> SigningKey:
    return FolderSigningKeys(site.folder / "keys", 900, SystemClock()).signer()


def sign(site: Site, whole: dict[str, Any], **header: str) -> str:
    key = signer(site)
    named = {"kid": key.kid, **header}
    return jwt.encode(whole, PyJWK(dict(key.jwk), algorithm="EdDSA"), "EdDSA", headers=named)


def refuses(site: Site, token: str) -> None:
    """Check that the gateway and a service each refuse a token."""
    for path in (ME, "/api/v1/videos"):
        answer = site.guest().get(path, headers=bearer(token))
        assert (answer.status_code, problem(answer)["code"]) == (401, "invalid_token")
        assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    cookie = requests.get(site.url + ME, cookies={"ns_access": token}, timeout=30)
    assert (cookie.status_code, problem(cookie)["code"]) == (401, "invalid_token")


@pytest.mark.parametrize(
    "change",
    [
        *({name: None} for name in ("exp", "iat", "jti", "aud", "iss", "sub", "type", "sid", "scope")),
        {"exp": 1},
        {"exp": "soon"},
        {"nbf": 9999999999},
        {"aud": "someone else"},
        {"aud": ["someone", "else"]},
        {"iss": "someone else"},
        {"iss": "nextstream.evil"},
        {"sub": "nobody"},
        {"sub": 7},
        {"sid": "0" * 32},
        {"sid": "' OR 1=1 --"},
        {"type": "refresh"},
        {"type": "Access"},
    ],
    ids=str,
)
def test_a_token_that_is_not_whole_is_invalid(site: Site, known: Client, change: dict[str, Any]) -> None:
    whole = {**claims(known), **change}
    refuses(site, sign(site, {name: value for name, value in whole.items() if value is not None}))


def test_a_token_made_right_is_good(site: Site, known: Client) -> None:
    token = sign(site, claims(known))
    assert site.guest().get(ME, headers=bearer(token)).status_code == 200


def test_a_token_can_not_widen_what_its_session_may(site: Site) -> None:
    user = site.user()
    login = {"name": user.name, "password": PASSWORD, "scopes": ["videos:read"]}
    pair = site.guest().post("/api/v1/auth/login", json=login).json()
    assert pair["scope"] == "videos:read"
    narrow = jwt.decode(pair["access_token"], options={"verify_signature": False})
    wide = sign(site, {**narrow, "scope": "videos:read videos:write uploads:write admin account"})
    for token in (pair["access_token"], wide):
        refused = site.guest().put("/api/v1/uploads/a.mp4", data=b"film", headers=bearer(token))
        assert (refused.status_code, problem(refused)["code"]) == (403, "insufficient_scope")
        assert refused.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope"'
    other = sign(site, {**narrow, "sub": site.user().account_id})
    refuses(site, other)


@pytest.mark.parametrize(
    "kid", ["unknown", "", "../keys", "../../etc/passwd", "/dev/null", "x' UNION SELECT 'k", "\x00", "*"]
)
def test_a_key_that_is_none_of_ours_is_invalid(site: Site, known: Client, kid: str) -> None:
    refuses(site, sign(site, claims(known), kid=kid))


def forge(how: str, site: Site, whole: dict[str, Any], token: str) -> str:
    """Forge a token in one of the known ways."""
    key = signer(site)
    named = {"kid": key.kid}
    public = json.dumps(key.public)
    raw = base64.urlsafe_b64decode(key.jwk["x"] + "==")
    other, mine = Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)
    header, body, signature = token.split(".")
    pointing = {
        **named,
        "jku": "http://evil.example/",
        "jwk": OKPAlgorithm.to_jwk(other.public_key(), True),
    }
    unsigned = jwt.encode(whole, None, "none", headers=named).rsplit(".", 1)[0]
    return {
        "none": lambda: unsigned + ".",
        "none with a signature": lambda: f"{unsigned}.{signature}",
        "HS256 by the public key": lambda: _by_hmac(whole, public, named),
        "HS256 by the key's bytes": lambda: jwt.encode(whole, raw, "HS256", headers=named),
        "HS256 by the house's secret": lambda: jwt.encode(whole, KEY, "HS256", headers=named),
        "RS256": lambda: jwt.encode(whole, mine, "RS256", headers=named),
        "another key": lambda: jwt.encode(whole, other, "EdDSA", headers=named),
        "a key it points to": lambda: jwt.encode(whole, other, "EdDSA", headers=pointing),
        "no kid": lambda: jwt.encode(whole, PyJWK(dict(key.jwk), "EdDSA"), "EdDSA"),
        "crit": lambda: jwt.encode(
            whole, PyJWK(dict(key.jwk), "EdDSA"), "EdDSA", headers={**named, "crit": ["exp"]}
        ),
        "another body": lambda: f"{header}.{_another(body)}.{signature}",
        "no signature": lambda: f"{header}.{body}.",
        "half a signature": lambda: token[:-40],
        "garbage": lambda: "a.b.c",
        "one part": lambda: "abc",
        "no JSON": lambda: f"{base64.urlsafe_b64encode(b'x').decode()}.{body}.{signature}",
    }[how]()


def _by_hmac(whole: dict[str, Any], secret: str, header: dict[str, str]) -> str:
    """Sign by hand: the library refuses such a secret."""
    parts = [json.dumps(part).encode() for part in ({**header, "alg": "HS256", "typ": "JWT"}, whole)]
    text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = hmac.digest(secret.encode(), text, "sha256")
    return f"{text.decode()}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def _another(body: str) -> str:
    read = json.loads(base64.urlsafe_b64decode(body + "=="))
    return base64.urlsafe_b64encode(json.dumps({**read, "scope": "admin"}).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "how",
    [
        "none",
        "none with a signature",
        "HS256 by the public key",
        "HS256 by the key's bytes",
        "HS256 by the house's secret",
        "RS256",
        "another key",
        "a key it points to",
        "no kid",
        "crit",
        "another body",
        "no signature",
        "half a signature",
        "garbage",
        "one part",
        "no JSON",
    ],
)
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_a_forged_token_is_invalid_and_says_so(site: Site, known: Client, how: str) -> None:
    refuses(site, forge(how, site, claims(known), known.token.removeprefix("Bearer ")))


def test_the_public_keys_are_published_and_verify_what_we_sign(site: Site) -> None:
    answer = site.guest().get("/.well-known/jwks.json")
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    keys = {key["kid"]: key for key in answer.json()["keys"]}
    assert all(set(key) == {"kty", "crv", "x", "kid", "use", "alg"} for key in keys.values())
    token = site.user().token.removeprefix("Bearer ")
    named = jwt.get_unverified_header(token)
    assert named["alg"] == "EdDSA"
    found = jwt.decode(token, PyJWK(keys[named["kid"]]), ["EdDSA"], audience="nextstream")
    assert found["exp"] - found["iat"] == 900


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer a b", "Basic YTpi", "Bearer ,", "ä".encode().decode("latin-1")]
)
def test_an_odd_authorization_header_is_401(site: Site, header: str) -> None:
    answer = site.guest().get(ME, headers={"Authorization": header})
    assert answer.status_code == 401
    problem(answer)
