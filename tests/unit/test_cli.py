"""The commands: what they print, where, and with which exit code."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nextstream.cli import USER_ERROR, main
from nextstream.settings_page import describe
from tests import servers


def run(*words: str, text: str | None = None, **env: str) -> Result:
    everything = {"NEXTSTREAM_PORT": str(servers.free_port()), **env}
    return CliRunner(env=everything).invoke(main, words, input=text)


def test_every_command_explains_itself() -> None:
    listed = run("--help").output
    for name in (
        *("up", "transcode", "doctor", "user", "keys", "settings", "migrate", "login", "logout"),
        *("upload", "import", "list", "show", "watch", "download", "delete"),
    ):
        assert name in listed
        assert run(name, "--help").output.startswith("Usage:")


def test_settings_prints_the_page_of_the_docs() -> None:
    assert run("settings").output == describe()


def test_a_setting_that_does_not_exist_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    result = run("doctor", NEXTSTREAM_PROT="1")
    assert result.exit_code == USER_ERROR
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert "NEXTSTREAM_PROT" in result.stderr


def test_doctor_lists_what_it_found_and_is_content(tmp_path: Path) -> None:
    result = run("doctor", NEXTSTREAM_DATA_DIR=str(tmp_path))
    assert result.exit_code == 0
    assert "ffmpeg" in result.stdout
    assert "FAIL" not in result.stdout


def test_doctor_tells_a_script_of_faults_by_its_exit_code(tmp_path: Path) -> None:
    result = run("doctor", NEXTSTREAM_DATA_DIR=str(tmp_path), NEXTSTREAM_SECRET_KEY="short")
    assert result.exit_code == 1
    assert "FAIL" in result.stdout


def test_an_account_is_added_with_a_password_from_a_pipe(tmp_path: Path) -> None:
    env = {"NEXTSTREAM_DATA_DIR": str(tmp_path)}
    assert run("migrate", **env).exit_code == 0
    added = run("user", "add", "Ada", "--role", "operator", text="correct horse\n", **env)
    assert (added.exit_code, added.stdout) == (0, "ada is there, as operator.\n")
    again = run("user", "add", "ada", text="correct horse\n", **env)
    assert again.exit_code == USER_ERROR
    assert "taken" in again.stderr


def test_accounts_are_listed_changed_and_kept_out(tmp_path: Path) -> None:
    env = {"NEXTSTREAM_DATA_DIR": str(tmp_path)}
    run("migrate", **env)
    for name in ("zoe", "ada"):
        assert run("user", "add", name, text="correct horse\n", **env).exit_code == 0
    assert run("user", "role", "ada", "operator", **env).stdout == "ada is now operator.\n"
    assert run("user", "disable", "zoe", **env).stdout == "zoe is disabled.\n"
    words = [line.split() for line in run("user", "list", **env).stdout.splitlines()]
    assert [(line[0], line[1], line[3:]) for line in words] == [
        ("ada", "operator", []),
        ("zoe", "uploader", ["disabled"]),
    ]
    assert run("user", "disable", "zoe", "--undo", **env).stdout == "zoe is enabled.\n"
    changed = run("user", "password", "zoe", text="another horse\n", **env)
    assert changed.stdout == "zoe has a new password; 0 sessions ended.\n"
    for command in (["role", "bob", "viewer"], ["disable", "bob"], ["password", "bob"]):
        unknown = run("user", *command, text="another horse\n", **env)
        assert (unknown.exit_code, unknown.stdout) == (USER_ERROR, "")
        assert "no account called bob" in unknown.stderr
    assert "guessed first" in run("user", "password", "zoe", text="password1\n", **env).stderr


def test_a_signing_key_is_rotated_or_replaced(tmp_path: Path) -> None:
    env = {"NEXTSTREAM_DATA_DIR": str(tmp_path)}
    run("migrate", **env)
    for count in (1, 2):
        assert "signs from" in run("keys", "rotate", **env).stdout
        assert len(list((tmp_path / "keys").iterdir())) == count
    assert "signs from" in run("keys", "rotate", "--at-once", **env).stdout
    assert len(list((tmp_path / "keys").iterdir())) == 1
    elsewhere = run("keys", "rotate", NEXTSTREAM_AUTH_URL="http://127.0.0.1:9", **env)
    assert elsewhere.exit_code == USER_ERROR
    assert "NEXTSTREAM_AUTH_URL" in elsewhere.stderr


@pytest.mark.parametrize("command", ["up", "transcode"])
def test_a_user_error_has_no_traceback(command: str, tmp_path: Path) -> None:
    words = {"up": ["up"], "transcode": ["transcode", str(tmp_path / "nowhere.mp4")]}[command]
    (tmp_path / "file").write_text("")
    result = run(*words, NEXTSTREAM_DATA_DIR=str(tmp_path / "file" / "data"))
    assert result.exit_code == USER_ERROR
    assert "Traceback" not in result.stderr
    assert result.stderr.count("\n") == 1
