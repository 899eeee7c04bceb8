"""An encrypted, private video by its link: in players from npm, in our page, ffmpeg and the checker."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from nextstream.domain import encryption
from nextstream.services import transcoding
from tests import players, sites, sources
from tests.conftest import MEDIA
from tests.e2e import player
from tests.e2e.test_growing import log_in
from tests.e2e.test_playback import mirror
from tests.integration.test_manifests import broken_rules
from tests.sites import Client, Site

pytestmark = [pytest.mark.xdist_group("house"), pytest.mark.usefixtures("chromium")]

SETTINGS = {"ffmpeg": "", "heights": "180,120", "preset": "ultrafast", "encryption": "aes-128"}


@dataclass(frozen=True)
class Film:
    """A private video that is ready, its owner, and the address that a ticket opens."""

    site: Site
    owner: Client
    id: str
    base: str


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Film]:
    folder = tmp_path_factory.mktemp("encrypted")
    source = sources.steady(folder / "steady.mp4", seconds=13)
    (folder / "site").mkdir()
    with sites.run(folder / "site", separate=False, **SETTINGS) as site:
        owner = site.user()
        video_id = owner.upload(source.read_bytes())
        assert transcoding.run(site.platform, video_id, 1, 2).failure is None
        assert owner.patch(f"/api/v1/videos/{video_id}", json={"visibility": "private"}).ok
        link = owner.post(f"/api/v1/videos/{video_id}/playback", json={}).json()
        assert link["dash"] is None
        yield Film(site, owner, video_id, link["hls"].removesuffix("/master.m3u8"))


@pytest.mark.parametrize("name", ["hls.js", "shaka hls", "video.js"])
def test_players_fetch_the_key_by_the_ticket_and_play_to_the_end(
    film: Film, node_modules: Path, tmp_path: Path, name: str
) -> None:
    with (
        player.opened() as viewer,
        players.served(tmp_path, node_modules, film.base) as url,
    ):
        played = players.play(viewer, url, name)
        assert played.why == ""
        assert played.duration_s == pytest.approx(13, abs=0.05)
        assert max(played.starts_s.values()) < 0.001
        assert [each for each in viewer.requested if each == f"{film.base}/v1/key"]
        assert viewer.failed == []


def test_our_page_plays_it_for_its_owner(film: Film) -> None:
    with player.opened() as viewer:
        log_in(viewer, film.owner)
        viewer.watch(f"{film.site.url}/watch/{film.id}")
        assert [each for each in viewer.requested if each.endswith("/v1/key")]
        viewer.page.evaluate("() => { document.querySelector('video').currentTime = 11; }")
        viewer.play_to_end(60)


def test_ffmpeg_decodes_every_frame_and_none_without_the_key(film: Film, tmp_path: Path) -> None:
    for name in ("v180", "v120"):
        assert sources.count_frames(f"{film.base}/v1/{name}/index.m3u8") == 13 * 24
    copy = mirror(f"{film.base}/v1/", tmp_path).parent / "v180"
    whole = (copy / "init.mp4").read_bytes() + (copy / "00001.m4s").read_bytes()
    (tmp_path / "alone.mp4").write_bytes(whole)
    with pytest.raises(subprocess.CalledProcessError):
        sources.count_frames(tmp_path / "alone.mp4")


def test_the_checker_misses_nothing_but_keyframes(film: Film, tmp_path: Path) -> None:
    """The checker opens no encrypted segments, so it gets them as a player decrypts them."""
    key = requests.get(f"{film.base}/v1/key", timeout=30).content
    master = mirror(f"{film.base}/v1/", tmp_path / "package")
    for path in master.parent.rglob("*.m4s"):
        path.write_bytes(decrypted(path.read_bytes(), key, int(path.stem)))
    (tmp_path / "bin").mkdir()
    assert broken_rules(master, MEDIA, tmp_path / "bin") == {"6.1": 1}


def decrypted(stored: bytes, key: bytes, number: int) -> bytes:
    """Decrypt a segment and take its padding off, as RFC 8216, 5.2 tells players to."""
    [plain] = encryption.decrypt([stored], key, number, 0, len(stored))
    return plain[: -plain[-1]]
