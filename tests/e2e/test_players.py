"""The players people use, from npm, in Chromium: one package with all that may be in one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests import players, schema, servers, sources
from tests.e2e import player
from tests.e2e.player import Viewer
from tests.installation import Installation

pytestmark = [pytest.mark.xdist_group("house"), pytest.mark.usefixtures("chromium")]

CUES = [(1, "Hello <i>there</i>"), (9, "Second line")]


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rich")
    return sources.rich(folder / "rich.mkv", size="256x144", offset_s=2)


@pytest.fixture(scope="module")
def package(rich: Path) -> Path:
    return players.package(rich, rich.parent / "out", codecs="h264,av1", av1_preset="12")


@pytest.fixture(scope="module")
def url(package: Path, node_modules: Path) -> Iterator[str]:
    with players.served(package, node_modules) as url:
        yield url


@pytest.fixture(scope="module")
def viewer() -> Iterator[Viewer]:
    with player.opened() as viewer:
        yield viewer


@pytest.mark.parametrize("name", list(players.PLAYERS))
def test_each_player_plays_from_start_to_end_with_captions(viewer: Viewer, url: str, name: str) -> None:
    viewer.failed.clear()
    played = players.play(viewer, url, name, captions=True)
    assert played.why == ""
    assert played.duration_s == pytest.approx(13, abs=0.05)
    assert set(played.starts_s) == {"audio", "video"}
    assert max(played.starts_s.values()) < 0.001
    assert played.cues == CUES
    assert viewer.failed == []


def test_the_dash_manifest_is_valid_by_mpeg_s_schema(package: Path, tmp_path: Path) -> None:
    try:
        assert schema.check(package / "manifest.mpd") == ""
        broken = tmp_path / "broken.mpd"
        broken.write_text((package / "manifest.mpd").read_text().replace(" minBufferTime=", " minTime="))
        assert "minTime" in schema.check(broken)
    except servers.Missing as missing:
        pytest.skip(str(missing))  # its licence keeps it from being anywhere a test could get it


def test_the_page_offers_sound_and_captions_and_shows_them(
    house: Installation, rich: Path, viewer: Viewer
) -> None:
    video = house.wait_ended(house.upload(rich)["id"])
    address = f"{house.url}/api/v1/videos/{video['id']}/subtitles/it"
    srt = "1\n00:00:01,000 --> 00:00:04,000\nCiao\n"
    assert requests.put(address, data=srt, headers=house.headers(), timeout=30).ok
    page = viewer.page
    viewer.watch(f"{house.url}/watch/{video['id']}")
    assert page.get_by_label("Captions").locator("option").all_inner_texts() == [
        *("Off", "English", "French (SDH)", "German", "Italian"),
    ]
    assert page.get_by_label("Sound").locator("option").all_inner_texts() == ["English", "German"]
    page.get_by_label("Captions").select_option("Italian")
    page.wait_for_function(
        """() => [...document.querySelector('video').textTracks].some((track) =>
          track.mode === 'showing' && [...(track.cues ?? [])].some((cue) => cue.text === 'Ciao'))""",
        timeout=60_000,
    )
    page.keyboard.press("Escape")
    page.get_by_label("Captions").select_option("Off")
    showing = "() => [...document.querySelector('video').textTracks].some((t) => t.mode === 'showing')"
    page.wait_for_function(f"() => !({showing})()", timeout=60_000)
