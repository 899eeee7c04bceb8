"""Posters, the storyboard and downloads in a real browser, of the clip that was uploaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e import player
from tests.e2e.player import Viewer
from tests.installation import Installation

pytestmark = [pytest.mark.xdist_group("house"), pytest.mark.usefixtures("chromium")]
WIDTH = """async (url) => {
  const picture = new Image();
  picture.src = url;
  await picture.decode();
  return picture.naturalWidth;
}"""
PLAYS = """async (url) => {
  document.body.replaceChildren();
  const film = document.createElement('video');
  film.muted = true;
  film.src = url;
  document.body.append(film);
  const until = (test) => new Promise((go, stop) => {
    const look = setInterval(() => { if (test()) { clearInterval(look); go(); } }, 20);
    film.addEventListener('error', () => { clearInterval(look); stop(film.error.message); });
  });
  await film.play();
  await until(() => film.currentTime > 0.5);
  film.currentTime = 29;
  await until(() => film.ended);
  return { duration: film.duration, width: film.videoWidth, at: film.currentTime };
}"""


@pytest.fixture(scope="module")
def viewer(house: Installation, video: dict[str, Any]) -> Iterator[Viewer]:
    with player.opened() as viewer:
        viewer.watch(f"{house.url}/watch/{video['id']}")
        yield viewer


def test_the_player_shows_the_poster_until_it_plays(viewer: Viewer, video: dict[str, Any]) -> None:
    poster = viewer.page.evaluate("() => document.querySelector('video').poster")
    assert poster == video["playback"]["poster"]
    assert viewer.page.evaluate(WIDTH, poster) == 1280


def test_the_bar_shows_the_tile_of_the_place_under_the_pointer(viewer: Viewer) -> None:
    line = viewer.page.locator("#line")
    expect(line).to_be_visible()
    expect(viewer.page.locator("#tile")).to_be_hidden()
    box = line.bounding_box()
    assert box
    # At 17.1 of 30 s: tile 8, the sixth of the sheet that begins with tile 3.
    line.hover(position={"x": box["width"] * 17.1 / 30, "y": box["height"] / 2})
    expect(viewer.page.locator("#tile")).to_be_visible()
    expect(viewer.page.locator("#tile-time")).to_have_text("0:17")
    style = viewer.page.evaluate("() => document.getElementById('tile-picture').style.cssText")
    assert "v1/thumbs/00003.jpg" in style
    assert "background-position: -320px -90px" in style


def test_the_bar_seeks(viewer: Viewer) -> None:
    viewer.page.locator("#line").fill("20")
    viewer.page.wait_for_function(
        "() => { const v = document.querySelector('video'); return !v.seeking && v.currentTime === 20; }"
    )


@pytest.mark.parametrize(("name", "width"), [("v240.mp4", 426), ("a0.m4a", 0)])
def test_a_download_plays_to_its_end_in_the_browser(
    viewer: Viewer, house: Installation, video: dict[str, Any], name: str, width: int
) -> None:
    viewer.page.goto(f"{house.url}/login")
    found = viewer.page.evaluate(PLAYS, f"{house.url}/v/{video['id']}/download/{name}")
    assert viewer.failed == []
    assert found["width"] == width
    assert abs(found["duration"] - 30) < 0.001
    assert abs(found["at"] - 30) < 0.05


def test_every_rendition_is_on_offer(video: dict[str, Any]) -> None:
    offered = {each["rendition"]: each["type"] for each in video["downloads"]}
    assert offered == {each["name"]: f"{each['kind']}/mp4" for each in video["renditions"]}
