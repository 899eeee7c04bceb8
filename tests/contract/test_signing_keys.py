"""What every keeper of signing keys does, and what services do that fetch the public ones."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jwt
import pytest
from jwt import PyJWK

from nextstream.adapters.clock import HandClock
from nextstream.adapters.signing_folder import FolderSigningKeys
from nextstream.adapters.signing_memory import MemorySigningKeys
from nextstream.adapters.signing_remote import AGAIN_S, FIRST_AGAIN_S, RemoteSigningKeys
from nextstream.domain.signing import LEEWAY_S, SigningKey
from nextstream.errors import Misconfigured, ServiceUnavailable
from nextstream.ports import SigningKeys

TOKEN_S, CACHE_S = 900, 300

Open = Callable[[], SigningKeys]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=["memory", "folder"])
def open_keys(request: pytest.FixtureRequest, clock: HandClock, tmp_path: Path) -> Open:
    """Give a way to open one keeper as often as processes would."""
    if request.param == "folder":
        return lambda: FolderSigningKeys(tmp_path / "keys", TOKEN_S, clock)
    memory = MemorySigningKeys(TOKEN_S, clock)
    return lambda: memory


@pytest.fixture
def keys(open_keys: Open) -> SigningKeys:
    return open_keys()


def kids(keys: SigningKeys) -> list[str]:
    return [key.kid for key in keys.published()]


def test_the_first_key_is_made_when_it_is_needed_and_stays(open_keys: Open) -> None:
    first = open_keys().signer()
    assert open_keys().signer() == first
    assert kids(open_keys()) == [first.kid]
    assert open_keys().find(first.kid) == first
    for kid in ("", "other", "../keys", f"{first.kid}.json"):
        assert open_keys().find(kid) is None


def test_the_set_is_never_empty(keys: SigningKeys) -> None:
    assert len(kids(keys)) == 1


def test_what_the_private_key_signs_the_public_one_verifies(keys: SigningKeys) -> None:
    key = keys.signer()
    assert "d" not in key.public
    token = jwt.encode({"a": 1}, PyJWK(dict(key.jwk), "EdDSA"), "EdDSA")
    assert jwt.decode(token, PyJWK(key.public), ["EdDSA"]) == {"a": 1}


def test_a_new_key_is_public_before_it_signs_and_the_old_one_after(
    open_keys: Open, clock: HandClock
) -> None:
    here, elsewhere = open_keys(), open_keys()
    old = here.signer()
    new = here.rotate(CACHE_S)
    assert kids(elsewhere) == [old.kid, new.kid]
    assert elsewhere.signer().kid == old.kid
    clock.advance(CACHE_S - 1)
    assert elsewhere.signer().kid == old.kid
    clock.advance(1)
    assert elsewhere.signer().kid == new.kid
    clock.advance(TOKEN_S + LEEWAY_S - 1)
    assert kids(elsewhere) == [old.kid, new.kid]
    clock.advance(1)
    assert kids(elsewhere) == [new.kid]
    assert elsewhere.find(old.kid) is None


def test_keys_whose_time_is_over_are_forgotten_by_a_later_rotation(
    open_keys: Open, clock: HandClock, tmp_path: Path
) -> None:
    keys = open_keys()
    for _ in range(5):
        keys.signer()
        keys.rotate(CACHE_S)
        clock.advance(CACHE_S + TOKEN_S + LEEWAY_S)
    assert len(kids(keys)) == 1
    assert len(list((tmp_path / "keys").glob("*"))) in (0, 2)  # the next rotation takes the older


def test_two_rotations_at_once_leave_a_key_that_signs(open_keys: Open, clock: HandClock) -> None:
    open_keys().signer()
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: open_keys().rotate(CACHE_S), range(4)))
    clock.advance(CACHE_S)
    signers = {open_keys().signer().kid for _ in range(3)}
    assert len(signers) == 1
    assert signers <= {key.kid for key in made}
    assert {key.kid for key in made} <= set(kids(open_keys()))


def test_after_a_theft_no_old_key_is_left(open_keys: Open, clock: HandClock) -> None:
    keys = open_keys()
    keys.signer()
    keys.rotate(CACHE_S)
    new = keys.replace()
    assert kids(open_keys()) == [new.kid]
    assert open_keys().signer() == new


# The folder.


def test_only_its_owner_can_read_a_key(tmp_path: Path, clock: HandClock) -> None:
    folder = tmp_path / "deep" / "keys"
    kid = FolderSigningKeys(folder, TOKEN_S, clock).signer().kid
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in folder.iterdir()] == [f"{kid}.json"]
    assert (folder / f"{kid}.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"kid": "a", "signs_from": "soon"}'])
def test_a_file_that_holds_no_key_is_named(tmp_path: Path, clock: HandClock, text: str) -> None:
    (tmp_path / "odd.json").write_text(text)
    with pytest.raises(Misconfigured, match=r"odd\.json"):
        FolderSigningKeys(tmp_path, TOKEN_S, clock).signer()


def test_a_folder_that_can_not_be_made_is_named(tmp_path: Path, clock: HandClock) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="file/keys"):
        FolderSigningKeys(tmp_path / "file" / "keys", TOKEN_S, clock).signer()


def test_a_folder_that_does_not_change_is_not_read_again(
    tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = FolderSigningKeys(tmp_path, TOKEN_S, clock)
    kid = keys.signer().kid
    os.utime(tmp_path, (1, 1))  # settled long ago
    assert keys.find(kid)
    monkeypatch.setattr(Path, "glob", None)
    for _ in range(3):
        assert keys.find(kid)
        assert keys.find("made up") is None


# Fetched from the auth service.


class Auth:
    """An auth service that gives `keys`, or `status` in their place, and counts who asks."""

    def __init__(self) -> None:
        self.keys: list[SigningKey] = []
        self.status, self.asked, self.text = 200, 0, ""
        auth = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                auth.asked += 1
                assert self.path == "/.well-known/jwks.json"
                body = (auth.text or json.dumps({"keys": [key.public for key in auth.keys]})).encode()
                self.send_response(auth.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def auth(clock: HandClock) -> Iterator[Auth]:
    service = Auth()
    service.keys = [MemorySigningKeys(TOKEN_S, clock).signer()]
    yield service
    service.server.shutdown()
    service.server.server_close()


class Seconds:
    """Tells seconds that are moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def remote(auth: Auth, seconds: Seconds) -> RemoteSigningKeys:
    return RemoteSigningKeys(auth.url, CACHE_S, seconds)


def test_a_fetched_key_has_no_private_part_and_is_kept(
    remote: RemoteSigningKeys, auth: Auth, seconds: Seconds
) -> None:
    auth.keys = [replace(auth.keys[0], jwk={**auth.keys[0].jwk, "jku": "http://evil.example/"})]
    kid = auth.keys[0].kid
    with ThreadPoolExecutor(8) as pool:
        found = set(map(str, pool.map(lambda _: remote.find(kid), range(20))))
    assert len(found) == 1
    assert set((remote.find(kid) or auth.keys[0]).jwk) == {"kty", "crv", "x"}
    seconds.now += CACHE_S - 1
    assert remote.find(kid)
    assert auth.asked == 1
    seconds.now += 1
    assert remote.find(kid)
    assert auth.asked == 2


def test_a_new_key_is_fetched_when_it_is_met_but_made_up_ones_cost_little(
    remote: RemoteSigningKeys, auth: Auth, seconds: Seconds, clock: HandClock
) -> None:
    assert remote.find(auth.keys[0].kid)
    seconds.now += AGAIN_S
    auth.keys.append(MemorySigningKeys(TOKEN_S, clock).signer())
    assert remote.find(auth.keys[1].kid)
    assert auth.asked == 2
    for number in range(100):
        assert remote.find(f"made up {number}") is None
    assert auth.asked == 2
    seconds.now += AGAIN_S
    assert remote.find("made up") is None
    assert auth.asked == 3


@pytest.mark.parametrize("trouble", ["500", "no JSON", "no keys", "another kind", "a list"])
def test_what_was_fetched_is_good_while_the_auth_service_is_in_trouble(
    remote: RemoteSigningKeys, auth: Auth, seconds: Seconds, trouble: str
) -> None:
    kid = auth.keys[0].kid
    assert remote.find(kid)
    auth.status = 500 if trouble == "500" else 200
    auth.text = {
        "no JSON": "<html>",
        "no keys": '{"keys": []}',
        "another kind": '{"keys": [{"kid": "a"}]}',
        "a list": "[1]",
    }.get(trouble, "")
    for _ in range(3):
        seconds.now += CACHE_S
        assert remote.find(kid)
    assert auth.asked == 4


def test_without_any_keys_nobody_can_be_let_in_nor_told_to_log_in(seconds: Seconds, auth: Auth) -> None:
    auth.status = 503
    remote = RemoteSigningKeys(auth.url, CACHE_S, seconds)
    for _ in range(5):
        with pytest.raises(ServiceUnavailable):
            remote.find("a")
    assert auth.asked == 1
    auth.status = 200
    seconds.now += FIRST_AGAIN_S
    assert remote.find(auth.keys[0].kid)


def test_nobody_signs_where_keys_are_only_fetched(remote: RemoteSigningKeys) -> None:
    for act in (remote.signer, remote.replace, lambda: remote.rotate(1)):
        with pytest.raises(Misconfigured, match="auth service"):
            act()
