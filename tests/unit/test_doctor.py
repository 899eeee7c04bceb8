"""Each fault of the machine is found, and told in one sentence that says what to do."""

from __future__ import annotations

import fcntl
import socket
from pathlib import Path

import pytest

from nextstream import doctor
from nextstream.settings import Settings
from tests import servers


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", port=servers.free_port())


def change(settings: Settings, **changes: object) -> Settings:
    return Settings(**{**vars(settings), **changes})


def find(settings: Settings, name: str) -> doctor.Finding:
    return next(finding for finding in doctor.examine(settings) if finding.name == name)


def test_a_machine_that_has_all_is_found_well_and_left_as_it_was(settings: Settings) -> None:
    faults = {finding.name for finding in doctor.examine(settings) if not finding.ok}
    assert faults <= {"user", "sandbox"}  # tests may run as root, or in a container
    assert not settings.data_dir.exists()


def test_a_port_in_use_is_named_with_the_setting_that_changes_it(settings: Settings) -> None:
    with socket.create_server((settings.host, settings.port)):
        finding = find(settings, "port")
    assert (finding.ok, finding.blocks) == (False, True)
    assert str(settings.port) in finding.says
    assert "NEXTSTREAM_PORT" in finding.says


def test_a_port_that_does_not_exist_is_a_finding_too(settings: Settings) -> None:
    assert not find(change(settings, port=70000), "port").ok


def test_the_port_of_the_nextstream_that_runs_here_is_no_fault(settings: Settings) -> None:
    settings.data_dir.mkdir()
    with (
        (settings.data_dir / doctor.LOCK).open("w") as lock,
        socket.create_server((settings.host, settings.port)),
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert doctor.is_running(settings)
        assert find(settings, "port").ok
    assert not doctor.is_running(settings)


def test_a_data_folder_that_cannot_be_made_is_named_with_its_setting(settings: Settings) -> None:
    settings.data_dir.write_text("a file")
    finding = find(change(settings, data_dir=settings.data_dir / "deeper"), "data folder")
    assert (finding.ok, finding.blocks) == (False, True)
    assert "NEXTSTREAM_DATA_DIR" in finding.says


def test_a_data_folder_that_cannot_be_written_is_named_with_its_setting(settings: Settings) -> None:
    kernels_own = change(settings, data_dir=Path("/proc/nextstream"))  # not even root writes there
    assert "NEXTSTREAM_DATA_DIR" in find(kernels_own, "data folder").says


def test_an_ffmpeg_that_is_none_is_a_finding(settings: Settings, tmp_path: Path) -> None:
    for wrong in ("/nowhere/ffmpeg", "/bin/true"):
        finding = find(change(settings, ffmpeg=wrong), "ffmpeg")
        assert (finding.ok, finding.blocks) == (False, True)
        assert "NEXTSTREAM_FFMPEG" in finding.says


def test_a_short_key_is_refused(settings: Settings) -> None:
    assert not find(change(settings, secret_key="short"), "secret key").ok
    assert find(change(settings, secret_key="k" * 32), "secret key").ok


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"delivery": "post"}, "NEXTSTREAM_DELIVERY"),
        ({"delivery": "s3"}, "NEXTSTREAM_STORAGE_URL"),
        ({"delivery": "cdn"}, "NEXTSTREAM_CDN_URL"),
        ({"encryption": "rot13"}, "NEXTSTREAM_ENCRYPTION"),
    ],
)
def test_a_delivery_that_cannot_be_is_named_with_its_setting(
    settings: Settings, changes: dict[str, str], named: str
) -> None:
    finding = find(change(settings, **changes), "delivery")
    assert (finding.ok, finding.blocks) == (False, True)
    assert named in finding.says


def test_a_redis_that_does_not_answer_keeps_everything_from_starting(settings: Settings) -> None:
    finding = find(change(settings, redis_url="redis://127.0.0.1:1/0"), "queue")
    assert (finding.ok, finding.blocks) == (False, True)


def test_a_kafka_that_is_away_is_told_but_keeps_nothing_from_starting(settings: Settings) -> None:
    finding = find(change(settings, kafka_servers="127.0.0.1:1"), "Kafka")
    assert (finding.ok, finding.blocks) == (False, False)
    assert "127.0.0.1:1" in finding.says


def test_a_database_that_is_away_keeps_everything_from_starting(settings: Settings) -> None:
    away = "postgresql+psycopg://nobody@127.0.0.1:1/nothing"
    finding = find(change(settings, database_url=away), "database")
    assert (finding.ok, finding.blocks) == (False, True)


def test_a_storage_of_an_unknown_kind_is_a_finding(settings: Settings) -> None:
    finding = find(change(settings, storage_url="ftp://somewhere"), "storage")
    assert (finding.ok, finding.blocks) == (False, True)


def test_each_fault_is_one_sentence(settings: Settings) -> None:
    bad = change(settings, port=70000, ffmpeg="/nowhere", secret_key="x", kafka_servers="nonsense")
    faults = [finding for finding in doctor.examine(bad) if not finding.ok]
    assert len(faults) >= 4
    for fault in faults:
        assert fault.says.endswith(".")
        assert "\n" not in fault.says
