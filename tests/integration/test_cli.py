"""The commands that speak to a server, against the gateway."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nextstream.cli import INTERRUPTED, USER_ERROR, main
from nextstream.cli.login import LoginFile
from nextstream.client.login import Login
from tests import sites, tus_clients
from tests.installation import ROOT
from tests.sites import PASSWORD, Client, Site

MIB = 1024**2


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with sites.run(tmp_path_factory.mktemp("cli"), separate=False, imports="true") as site:
        yield site


@pytest.fixture
def user(server: Site) -> Client:
    return server.user()


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_STATE_HOME": str(tmp_path / "state")}


def run(home: dict[str, str], *words: str, text: str | None = None) -> Result:
    return CliRunner(env=home).invoke(main, words, input=text)


def enter(home: dict[str, str], user: Client, url: str = "") -> None:
    words = ("login", url or user.site.url, "--name", user.name)
    assert run(home, *words, text=f"{PASSWORD}\n").exit_code == 0


def ids(result: Result) -> list[str]:
    assert result.exit_code == 0, result.stderr
    return [line.split()[0] for line in result.stdout.splitlines()]


def test_a_login_is_kept_where_its_owner_alone_can_read_it_and_ends_at_the_server(
    home: dict[str, str], user: Client
) -> None:
    assert "nextstream login" in run(home, "list").stderr
    wrong = run(home, "login", user.site.url, "--name", user.name, text="not my password\n")
    assert (wrong.exit_code, wrong.stderr.count("\n")) == (USER_ERROR, 1)
    enter(home, user)
    (kept,) = (Path(home["XDG_CONFIG_HOME"]) / "nextstream").glob("*.json")
    assert kept.stat().st_mode & 0o177 == 0
    assert ids(run(home, "list")) == []
    sessions = user.get("/api/v1/auth/sessions").json()["items"]
    assert run(home, "logout").exit_code == 0
    assert len(user.get("/api/v1/auth/sessions").json()["items"]) == len(sessions) - 1
    assert run(home, "list").exit_code == USER_ERROR


def test_commands_renew_a_login_one_at_a_time_and_each_token_once(
    home: dict[str, str], user: Client
) -> None:
    enter(home, user)
    (kept,) = (Path(home["XDG_CONFIG_HOME"]) / "nextstream").glob("*.json")
    file, other = LoginFile(kept), LoginFile(kept)
    stale, entered = file.load(), threading.Event()
    logins = [Login(user.session, user.site.url, each) for each in (file, other)]
    waiting = threading.Thread(target=lambda: (logins[1].renew(stale.access), entered.set()))
    with file.locked():
        waiting.start()
        assert not entered.wait(0.5)
    waiting.join(60)
    renewed = file.load()
    assert renewed.refresh != stale.refresh
    assert logins[0].renew(stale.access)
    assert file.load() == renewed
    assert run(home, "list").exit_code == 0


def test_an_api_key_of_the_environment_needs_no_login(home: dict[str, str], user: Client) -> None:
    body = {"name": "ci", "scopes": ["videos:read"]}
    key = user.post("/api/v1/auth/keys", json=body).json()["key"]
    env = {**home, "NEXTSTREAM_URL": user.site.url, "NEXTSTREAM_API_KEY": key}
    video_id = user.upload()
    assert ids(run(env, "list")) == [video_id]
    refused = run(env, "delete", video_id, "--yes")
    assert (refused.exit_code, refused.stderr.count("\n")) == (USER_ERROR, 1)
    assert "scope" in refused.stderr


def test_videos_are_sent_listed_shown_and_removed(
    home: dict[str, str], user: Client, tmp_path: Path
) -> None:
    enter(home, user)
    files = [tmp_path / "one [1].mp4", tmp_path / "two.mp4"]
    for file in files:
        file.write_bytes(b"film")
    one, two = ids(run(home, "upload", *map(str, files)))
    (far,) = ids(run(home, "import", "https://example.org/far.mp4", "--title", "Far"))
    assert ids(run(home, "list")) == [far, two, one]
    assert ids(run(home, "list", "--text", "one", "--state", "uploaded")) == [one]
    assert json.loads(run(home, "list", "--limit", "1", "--json").stdout)["title"] == "Far"
    shown = run(home, "show", one).stdout
    assert "one [1].mp4" in shown
    assert f"{user.site.url}/v/{one}/master.m3u8" in shown
    assert json.loads(run(home, "show", one, "--json").stdout)["state"] == "uploaded"
    assert run(home, "delete", one, text="n\n").exit_code != 0
    assert run(home, "delete", one, two, "--yes").exit_code == 0
    assert ids(run(home, "list")) == [far]
    assert "no download yet" in run(home, "download", far).stderr
    assert run(home, "show", one).exit_code == USER_ERROR


def test_wishes_go_along_and_can_be_changed(home: dict[str, str], user: Client, tmp_path: Path) -> None:
    def told(video_id: str) -> dict[str, str]:
        video = json.loads(run(home, "show", video_id, "--json").stdout)
        return {name: video[name] for name in ("title", "visibility", "priority")}

    enter(home, user)
    (tmp_path / "a.mp4").write_bytes(b"film")
    asked = ("--title", "T", "--visibility", "private", "--priority", "low", "--encryption", "aes-128")
    (sent,) = ids(run(home, "upload", str(tmp_path / "a.mp4"), *asked))
    (far,) = ids(run(home, "import", "https://example.org/far.mp4", *asked))
    wanted = {"title": "T", "visibility": "private", "priority": "low"}
    assert [told(sent), told(far)] == [wanted, wanted]
    assert "public" in run(home, "change", sent, "--visibility", "public").stdout
    assert told(sent) == wanted | {"visibility": "public"}
    assert run(home, "upload", str(tmp_path / "a.mp4"), "--priority", "now").exit_code == USER_ERROR


def test_an_encode_is_cancelled_and_done_again(
    home: dict[str, str], user: Client, tmp_path: Path
) -> None:
    enter(home, user)
    (tmp_path / "a.mp4").write_bytes(b"film")
    (video_id,) = ids(run(home, "upload", str(tmp_path / "a.mp4")))
    assert "cancelled" in run(home, "cancel", video_id).stdout
    assert ids(run(home, "retry", video_id)) == [video_id]
    assert user.get(f"/api/v1/videos/{video_id}").json()["state"] != "cancelled"
    assert run(home, "retry", video_id).exit_code == USER_ERROR


def test_a_file_that_is_no_video_is_one_sentence(
    home: dict[str, str], user: Client, tmp_path: Path
) -> None:
    enter(home, user)
    (tmp_path / "page.mp4").write_text("<!DOCTYPE html><html></html>")
    refused = run(home, "upload", str(tmp_path / "page.mp4"))
    assert refused.exit_code == USER_ERROR
    assert "Traceback" not in refused.stderr
    assert run(home, "upload", str(tmp_path / "nowhere.mp4")).exit_code == USER_ERROR


@pytest.mark.parametrize("end", ["delete", "cancel"])
def test_the_same_command_sends_again_what_is_no_more(
    home: dict[str, str], user: Client, tmp_path: Path, end: str
) -> None:
    enter(home, user)
    film, page = tmp_path / "film.mp4", tmp_path / "page.mp4"
    film.write_bytes(b"film")
    page.write_text("<!DOCTYPE html><html></html>")
    seen = []
    for _ in range(3):
        result = run(home, "upload", str(film), str(page))
        assert result.exit_code == USER_ERROR
        seen.append(result.stdout.split()[0])
        if len(seen) == 2:
            assert run(home, end, seen[-1], *(["--yes"] * (end == "delete"))).exit_code == 0
    assert seen[0] == seen[1] != seen[2]


def test_after_ctrl_c_the_same_command_goes_on(
    home: dict[str, str], user: Client, tmp_path: Path
) -> None:
    small, large = tmp_path / "small.mp4", tmp_path / "large.mp4"
    small.write_bytes(b"film")
    with large.open("wb") as file:
        file.write(os.urandom(MIB))
        file.truncate(160 * MIB)
    with tus_clients.cutting(user.site.address) as way:
        enter(home, user, way.url)
        way.hold_at_bytes = 40 * MIB  # or all has passed when the signal comes
        command = [sys.executable, "-m", "nextstream", "upload", str(small), str(large)]
        first = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **home}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        tus_clients.wait_until(lambda: way.passed_bytes >= 40 * MIB, 120)
        first.send_signal(signal.SIGINT)
        said = [text.decode() for text in first.communicate(timeout=120)]
        assert first.returncode == INTERRUPTED, said
        assert "The same command goes on" in said[1]
        assert "Traceback" not in said[1]
        way.go_on.set()
        passed_bytes = way.passed_bytes
        again = ids(run(home, "upload", str(small), str(large)))
        assert said[0].split()[0] == again[0]
        assert way.passed_bytes - passed_bytes < 130 * MIB
    assert {each["id"] for each in user.get("/api/v1/videos").json()["items"]} == set(again)
    stored = user.site.platform.storage.head(f"videos/{again[1]}/source")
    assert stored.size_bytes == large.stat().st_size
    assert not list(Path(home["XDG_STATE_HOME"]).rglob("*.json"))
