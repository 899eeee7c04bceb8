"""Settings come from the environment alone, and their page in the docs is true."""

from __future__ import annotations

from pathlib import Path

import pytest

from nextstream.errors import Misconfigured
from nextstream.settings import Settings
from nextstream.settings_page import describe

ROOT = Path(__file__).parents[2]


def test_the_page_of_settings_is_the_one_the_code_gives() -> None:
    page = (ROOT / "docs/settings.md").read_text()
    assert page == describe(), "run: python -m nextstream settings > docs/settings.md"


def test_without_variables_every_setting_has_its_default() -> None:
    assert Settings.read({}) == Settings()


def test_values_are_read_in_their_types() -> None:
    read = Settings.read(
        {
            "NEXTSTREAM_PORT": "9000",
            "NEXTSTREAM_RELAY_EVERY_S": "0.5",
            "NEXTSTREAM_SECURE_COOKIES": "true",
            "NEXTSTREAM_DATA_DIR": "/var/lib/nextstream",
            "NEXTSTREAM_PRESET": "slow",
        }
    )
    assert (read.port, read.relay_every_s, read.secure_cookies) == (9000, 0.5, True)
    assert (read.data_dir, read.preset) == (Path("/var/lib/nextstream"), "slow")


@pytest.mark.parametrize(
    ("name", "value"),
    [("NEXTSTREAM_PORT", "http"), ("NEXTSTREAM_SECURE_COOKIES", "maybe"), ("NEXTSTREAM_STOP_S", "")],
)
def test_a_value_that_cannot_be_understood_is_named_with_its_variable(name: str, value: str) -> None:
    with pytest.raises(Misconfigured, match=name):
        Settings.read({name: value})


def test_a_variable_that_is_no_setting_is_refused_so_that_no_typing_error_goes_unseen() -> None:
    with pytest.raises(Misconfigured, match="NEXTSTREAM_PROT"):
        Settings.read({"NEXTSTREAM_PROT": "9000"})


def test_variables_of_other_programs_and_of_the_tests_are_left_alone() -> None:
    assert Settings.read({"PORT": "9000", "NEXTSTREAM_TEST_MEDIA": "/media"}) == Settings()


def test_a_secret_can_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k" * 32 + "\n")
    assert Settings.read({"NEXTSTREAM_SECRET_KEY_FILE": str(tmp_path / "key")}).secret_key == "k" * 32


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="nowhere"):
        Settings.read({"NEXTSTREAM_SECRET_KEY_FILE": str(tmp_path / "nowhere")})


def test_the_database_and_the_storage_are_in_the_data_folder_unless_chosen() -> None:
    default = Settings.read({"NEXTSTREAM_DATA_DIR": "/d"})
    assert default.database == "sqlite:////d/nextstream.db"
    assert default.storage == "file:///d/media"
    chosen = Settings.read({"NEXTSTREAM_STORAGE_URL": "s3://bucket"})
    assert chosen.storage == "s3://bucket"


def test_one_process_carries_two_hundred_uploads_also_behind_the_gateway() -> None:
    settings = Settings()
    assert 200 <= settings.uploads_each <= settings.seats_each
    assert settings.web_threads - settings.uploads_each >= 64  # what is left to the API and players
