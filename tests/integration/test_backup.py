"""What was backed up by the commands of docs/operations.md comes back in an empty place, and goes on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from nextstream import backup, wiring
from nextstream.adapters.clock import SystemClock
from nextstream.domain import paths
from nextstream.domain.accounts import Role
from nextstream.domain.video import State
from nextstream.errors import Misconfigured
from nextstream.ports import Platform
from nextstream.services import accounts, logins, rights, signing
from nextstream.settings import Settings
from tests import installation, servers, sources, workers
from tests.installation import Installation
from tests.workers import House

PASSWORD = "correct horse battery"
SLOW = {"HEIGHTS": "360,180", "PRESET": "slow", "CHUNK_S": "6", "WORKER_SLOTS": "1"}


def block(marker: str) -> str:
    found = re.search(
        rf"runs this: {marker} -->\n```sh\n(.*?)```",
        (installation.ROOT / "docs/operations.md").read_text(),
        re.DOTALL,
    )
    assert found
    return found[1]


def test_what_is_in_the_data_folder_comes_back_and_goes_on(tmp_path: Path) -> None:
    clip = sources.steady(tmp_path / "clip.mp4", seconds=4)
    film = sources.steady(tmp_path / "film.mp4", seconds=30, size="640x360")
    env = {f"NEXTSTREAM_{name}": value for name, value in SLOW.items()}
    folder, copy = tmp_path / "data", tmp_path / "copy"
    with installation.running(folder, env) as house:
        done = house.wait_ended(house.upload(clip)["id"])
        back_up(folder, copy)
        half = begin_upload(house, clip)
        begun = house.upload(film)
        workers.wait_until(lambda: is_going(house.video(begun["id"])), 60)
        back_up(folder, copy)  # brings the first one up to date
        assert house.video(begun["id"])["state"] == "encoding"
    with installation.running(copy, env) as restored:
        restored.operator, restored.password = house.operator, house.password
        assert restored.video(done["id"])["state"] == "ready"
        assert plays(restored, done["id"])
        assert restored.wait_ended(begun["id"])["state"] == "ready"
        assert plays(restored, begun["id"])
        go_on_with(restored, half, clip)
        assert restored.wait_ended(half.rpartition("/")[2])["state"] == "ready"


def back_up(data: Path, copy: Path) -> None:
    command = [sys.executable, "-m", "nextstream", "backup", str(copy)]
    env = {**os.environ, "NEXTSTREAM_DATA_DIR": str(data)}
    subprocess.run(command, env=env, cwd=installation.ROOT, check=True, timeout=120)


def is_going(video: dict[str, object]) -> bool:
    return video["state"] == "encoding"


def plays(house: Installation, video_id: str) -> bool:
    master = requests.get(f"{house.url}/v/{video_id}/master.m3u8", timeout=30).text
    name = next(line for line in master.splitlines() if line and not line.startswith("#"))
    media = requests.get(f"{house.url}/v/{video_id}/{name}", timeout=30).text
    segment = next(line for line in media.splitlines() if line and not line.startswith("#"))
    base = f"{house.url}/v/{video_id}/{name.rpartition('/')[0]}"
    return "ENDLIST" in media and requests.get(f"{base}/{segment}", timeout=30).ok


TUS = {"Tus-Resumable": "1.0.0"}


def begin_upload(house: Installation, path: Path) -> str:
    """Send the first half of a file by tus, and give the path of its upload."""
    data = path.read_bytes()
    sizes = {"Upload-Length": str(len(data)), "Upload-Metadata": "filename Y2xpcC5tcDQ="}
    url = f"{house.url}/api/v1/uploads/tus"
    made = requests.post(url, headers={**house.headers(), **TUS, **sizes}, timeout=30)
    made.raise_for_status()
    place = urlsplit(made.headers["Location"]).path
    assert send(house, place, data[: len(data) // 2], 0) == len(data) // 2
    return place


def go_on_with(house: Installation, place: str, path: Path) -> None:
    """Send the rest of a file, from where the server has it."""
    data = path.read_bytes()
    head = requests.head(f"{house.url}{place}", headers={**house.headers(), **TUS}, timeout=30)
    offset = int(head.headers["Upload-Offset"])
    assert offset == len(data) // 2
    assert send(house, place, data[offset:], offset) == len(data)


def send(house: Installation, place: str, data: bytes, offset: int) -> int:
    headers = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
    all_ = {**house.headers(), **TUS, **headers}
    answer = requests.patch(f"{house.url}{place}", data=data, headers=all_, timeout=30)
    answer.raise_for_status()
    return int(answer.headers["Upload-Offset"])


def test_postgres_and_s3_come_back_by_the_commands_of_the_docs(
    tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    with ExitStack() as stack:
        before = open_place(stack, tmp_path / "before", postgres_url, redis_url)
        operator = accounts.add(before.platform, "operator", PASSWORD, Role.OPERATOR)
        key = signing.rotate(before.platform)
        done, begun = fill(before, tmp_path)
        ticket = rights.grant(before.platform, operator, done, 3600)
        (tmp_path / "backup").mkdir()
        run(block("back up"), before, tmp_path)
        after = open_place(stack, tmp_path / "after", postgres_url, redis_url)
        run(block("restore"), after, tmp_path)
        wiring.migrate(after.platform.settings)
        assert logins.log_in(after.platform, "operator", PASSWORD).account.id == operator.id
        assert key.kid in [each.kid for each in after.platform.signing_keys.published()]
        assert rights.admit(after.platform, done, ticket.word)
        assert after.video(done).state is State.READY
        with after.worker():
            assert after.wait_ended(begun, 120).state is State.READY
        for video_id in (done, begun):
            assert all_is_there(after, video_id)


def open_place(stack: ExitStack, folder: Path, postgres: str, redis_url: str) -> House:
    """Give an installation over a database and a bucket of its own, both empty, without tables."""
    folder.mkdir()
    settings = {
        "DATABASE_URL": stack.enter_context(servers.database(postgres)),
        "STORAGE_URL": stack.enter_context(servers.rclone_s3(folder / "s3")),
        "KEYS_DIR": str(folder / "keys"),
        "SECRET_KEY": "k" * 32,
        **SLOW,
        "PRESET": "veryfast",
    }
    house = workers.open_house(folder, redis_url, **settings)

    def close() -> None:  # the platform makes the tables when it is first asked for
        house.platform.database.close()

    stack.callback(close)
    return house


def fill(house: House, tmp_path: Path) -> tuple[str, str]:
    """Give a video that is ready, and one whose worker was killed in the middle."""
    done = house.put_in(sources.steady(tmp_path / "a.mp4", seconds=4)).id
    begun = house.put_in(sources.steady(tmp_path / "b.mp4", seconds=30, size="640x360")).id
    with house.worker() as worker:
        assert house.wait_ended(done).state is State.READY
        house.wait_event("piece.encoded", begun)
        worker.kill()
    assert house.video(begun).state is State.ENCODING
    return done, begun


def run(commands: str, house: House, tmp_path: Path) -> None:
    """Run commands of the docs as an operator of this installation does."""
    storage = urlsplit(house.env["NEXTSTREAM_STORAGE_URL"])
    keys = {f"RCLONE_CONFIG_S3_{k}": v for k, v in remote(parse_qs(storage.query)).items()}
    programs = [f"{sys.prefix}/bin", *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
    env = {
        **os.environ,
        **house.env,
        **keys,
        "PATH": os.pathsep.join([*programs, os.environ["PATH"]]),
        "PGURL": house.env["NEXTSTREAM_DATABASE_URL"].replace("+psycopg", ""),
        "BUCKET": f"{storage.netloc}{storage.path}",
        "BACKUP": str(tmp_path / "backup"),
    }
    done = subprocess.run(
        ["bash", "-euc", commands], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def remote(query: dict[str, list[str]]) -> dict[str, str]:
    user, password = servers.S3_KEYS.values()
    endpoint = {"TYPE": "s3", "PROVIDER": "Other", "ENDPOINT": query["endpoint"][0]}
    return {**endpoint, "ACCESS_KEY_ID": user, "SECRET_ACCESS_KEY": password}


def all_is_there(house: House, video_id: str) -> bool:
    """Tell whether the storage has every segment that the video's row names, by its size."""
    video, platform = house.video(video_id), house.platform
    sizes = {each.key: each.size_bytes for each in platform.storage.list(f"videos/{video_id}/")}
    tree = paths.tree(video_id, video.shown_version)
    wanted = [
        (f"{tree}/{rendition.name}/{segment.number:05d}.m4s", segment.size_bytes)
        for rendition in video.renditions
        for segment in rendition.segments
    ]
    return bool(wanted) and all(sizes.get(key) == size for key, size in wanted)


@pytest.mark.parametrize("change", [{"database_url": "postgresql://h/d"}, {"storage_url": "s3://b"}])
def test_what_is_elsewhere_is_not_silently_left_out(tmp_path: Path, change: dict[str, str]) -> None:
    settings = Settings(data_dir=tmp_path / "data", **change)  # type: ignore[arg-type]  # all are str
    with pytest.raises(Misconfigured, match="Backup and restore"):
        backup.copy(settings, tmp_path / "copy")


def test_files_that_are_gone_leave_the_next_backup_and_what_is_known_is_not_read_again(
    tmp_path: Path,
) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    settings.data_dir.mkdir()
    wiring.migrate(settings)
    platform: Platform = wiring.build(settings, clock=SystemClock())
    for name in ("kept", "gone"):
        platform.storage.put(f"videos/{name}/source", b"film", "video/mp4")
    copy = tmp_path / "copy"
    assert backup.copy(settings, copy) == backup.Copied(2, 0)
    platform.storage.remove("videos/gone/source")
    assert backup.copy(settings, copy) == backup.Copied(0, 1)
    assert [path.name for path in (copy / "media/videos").iterdir() if any(path.iterdir())] == ["kept"]
    with pytest.raises(Misconfigured, match="inside"):
        backup.copy(settings, tmp_path / "data" / "copy")
