"""The main job: a real video goes in through the API and plays in a real browser."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests import sources
from tests.conftest import MEDIA
from tests.e2e import player
from tests.e2e.player import Viewer
from tests.installation import Installation

pytestmark = [pytest.mark.xdist_group("house"), pytest.mark.usefixtures("chromium")]


@pytest.fixture(scope="module")
def viewer(house: Installation, video: dict[str, Any]) -> Iterator[Viewer]:
    with player.opened() as viewer:
        viewer.watch(f"{house.url}/watch/{video['id']}")
        yield viewer


def test_sound_and_picture_start_together(viewer: Viewer) -> None:
    ranges = viewer.ranges()
    assert set(ranges) == {"audio", "video"}
    starts = [spans[0][0] for spans in ranges.values()]
    assert max(starts) < 0.001


def test_seeks_find_their_picture(viewer: Viewer) -> None:
    took_ms = [viewer.seek(target) for target in (25.0, 3.0, 14.5, 8.25, 20.0)]
    assert -1 not in took_ms
    assert sorted(took_ms)[2] < 2000  # loose: the machine of a test run is busy


def test_it_plays_to_its_end_without_a_hole_or_a_failed_request(viewer: Viewer) -> None:
    assert viewer.seek(0.0) >= 0
    viewer.page.evaluate("() => { document.querySelector('video').playbackRate = 2; }")
    viewer.play_to_end(wait_s=120)
    for kind, spans in viewer.ranges().items():
        assert len(spans) == 1, kind
        assert spans[0][0] < 0.05
        assert abs(spans[0][1] - 30) < 0.1
    assert viewer.failed == [], viewer.failed


def test_the_player_takes_segments_of_the_ladder(viewer: Viewer) -> None:
    rungs = {url.split("/")[-2] for url in viewer.requested if url.endswith(".m4s")}
    assert "a0" in rungs
    assert rungs & {"v1080", "v720", "v480", "v360", "v240"}


def test_every_rung_has_every_frame_of_the_plan(house: Installation, video: dict[str, Any]) -> None:
    for name in ("v1080", "v720", "v480", "v360", "v240"):
        assert sources.count_frames(f"{house.url}/v/{video['id']}/v1/{name}/index.m3u8") == 720


def test_the_checker_finds_nothing_that_must_be_mended(
    house: Installation, video: dict[str, Any], tmp_path: Path
) -> None:
    checker = MEDIA.parent / "tools" / "hlscheck.py"
    if not checker.exists():
        pytest.skip(f"there is no {checker}")
    copy = mirror(f"{house.url}/v/{video['id']}/v1/", tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ffprobe").symlink_to(sources.tools().ffprobe)
    (tmp_path / "bin" / "ffmpeg").symlink_to(sources.tools().ffmpeg)
    said = subprocess.run(
        [sys.executable, str(checker), str(copy)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin"},
    ).stdout
    assert "== " in said
    assert "MUST " not in said, said


def mirror(base: str, folder: Path) -> Path:
    """Fetch a whole HLS tree, as a player sees it."""
    waiting, seen = ["master.m3u8"], set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        answer = requests.get(base + name, timeout=30)
        answer.raise_for_status()
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(answer.content)
        if name.endswith(".m3u8"):
            beside = name.rpartition("/")[0]
            waiting += [f"{beside}/{uri}".lstrip("/") for uri in named(answer.text)]
    return folder / "master.m3u8"


def named(playlist: str) -> list[str]:
    lines = playlist.splitlines()
    quoted = [line.split('URI="')[1].split('"')[0] for line in lines if 'URI="' in line]
    return quoted + [line for line in lines if line and not line.startswith("#")]
