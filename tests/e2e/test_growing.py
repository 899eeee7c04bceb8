"""A video that is watched while it is encoding: from its start to its end, in our page and in players.

The test itself encodes, piece by piece, so that every browser sees the playlists grow.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nextstream.domain.plan import Piece
from nextstream.services import transcoding
from tests import sites, sources
from tests.e2e import player
from tests.e2e.player import Viewer
from tests.sites import PASSWORD, Client, Site

PATIENCE_S = 400  # a machine that runs all tests at once encodes slowly
pytestmark = [
    pytest.mark.xdist_group("growing"),
    pytest.mark.usefixtures("chromium"),
    pytest.mark.timeout(900),
]

SECONDS = 33
PIECE_EVERY_S = 3.0
SETTINGS = {
    "ffmpeg": "",
    "heights": "180,90",
    "preset": "ultrafast",
    "chunk_s": "6",
    "worker_slots": "1",
}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Give a site with a real encoder and no workers."""
    with sites.run(tmp_path_factory.mktemp("studio"), separate=False, **SETTINGS) as site:
        yield site


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("source")
    return sources.steady(folder / "steady.mp4", seconds=SECONDS).read_bytes()


@dataclass
class Encode:
    """An encode in the test's own hands."""

    site: Site
    video_id: str
    pieces: list[Piece]

    @property
    def address(self) -> str:
        return f"{self.site.url}/v/{self.video_id}/master.m3u8"

    def step(self) -> None:
        piece = self.pieces.pop(0)
        transcoding.encode(self.site.platform, self.video_id, 1, piece.name, "test")
        if not self.pieces:
            transcoding.publish(self.site.platform, self.video_id, 1, "test")

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Encode a piece now and then until all are done; the block ends with the last one."""
        failed: list[BaseException] = []

        def work() -> None:
            try:
                while self.pieces:
                    time.sleep(PIECE_EVERY_S)
                    self.step()
            except BaseException as error:  # noqa: BLE001  raised again below, in the test's own thread
                failed.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            thread.join(120)
        if failed:
            raise failed[0]


@pytest.fixture
def user(studio: Site) -> Client:
    return studio.user()


@pytest.fixture
def planned(studio: Site, user: Client, source: bytes) -> Encode:
    """Give a video of which nothing is encoded yet."""
    video_id = user.upload(source)
    made = Encode(studio, video_id, list(transcoding.probe(studio.platform, video_id, 1, "test")))
    assert [piece.name for piece in made.pieces[:2]] == ["video-00000", "audio-a0"]
    return made


@pytest.fixture
def encode(planned: Encode, user: Client) -> Encode:
    """Give a video that is just playable: its first segment and its sound are there."""
    for _ in range(2):
        planned.step()
    answer = user.get(f"/api/v1/videos/{planned.video_id}").json()
    assert (answer["state"], answer["playable"]) == ("encoding", True)
    return planned


def log_in(viewer: Viewer, user: Client) -> None:
    viewer.page.goto(f"{user.site.url}/login")
    viewer.page.get_by_label("Name").fill(user.name)
    viewer.page.get_by_label("Password").fill(PASSWORD)
    viewer.page.get_by_role("button", name="Log in").click()
    viewer.page.wait_for_url(f"{user.site.url}/")


def test_our_page_plays_from_the_start_to_the_end_while_the_rest_is_encoding(
    encode: Encode, user: Client
) -> None:
    with player.opened() as viewer:
        log_in(viewer, user)
        viewer.watch(f"{user.site.url}/watch/{encode.video_id}")
        page = viewer.page
        assert page.evaluate("() => document.querySelector('video').currentTime") == 0
        assert page.evaluate("() => document.querySelector('video').duration") == pytest.approx(SECONDS)
        assert "Encoding" in page.locator("#encoding").inner_text()
        assert page.get_by_role("button", name="Cancel").is_visible()
        with encode.going_on():
            page.evaluate("() => { document.querySelector('video').playbackRate = 2; }")
            viewer.play_to_end(wait_s=PATIENCE_S)
        page.wait_for_function("() => !document.querySelector('#encoding').textContent")
        for kind, spans in viewer.ranges().items():
            assert len(spans) == 1, kind
            assert spans[0][0] < 0.05
            assert spans[0][1] == pytest.approx(SECONDS, abs=0.1)
        assert any(url.endswith("/events") for url in viewer.requested)
        assert sum(url.endswith("master.m3u8") for url in viewer.requested) == 1
        assert viewer.failed == [], viewer.failed


def test_a_page_that_gets_no_events_asks_now_and_then(planned: Encode, user: Client) -> None:
    with player.opened() as viewer:
        log_in(viewer, user)
        page = viewer.page
        page.route("**/events", lambda route: route.fulfill(status=503))
        page.goto(f"{user.site.url}/watch/{planned.video_id}")
        page.get_by_text("Encoding 0 %").wait_for(timeout=30_000)
        planned.step()
        planned.step()
        page.wait_for_function("() => document.querySelector('video').readyState >= 3", timeout=60_000)
        while planned.pieces:
            planned.step()
        page.wait_for_function("() => !document.querySelector('#encoding').textContent")
        assert sum(url.endswith("/events") for url in viewer.requested) > 1


def test_a_private_video_plays_for_its_owner_alone(encode: Encode, user: Client) -> None:
    while encode.pieces:
        encode.step()
    user.patch(f"/api/v1/videos/{encode.video_id}", json={"visibility": "private"})
    time.sleep(1.2)  # rights are remembered for a second
    page_url = f"{user.site.url}/watch/{encode.video_id}"
    with player.opened() as guest:
        guest.page.goto(page_url)
        guest.page.get_by_text("There is no such video").wait_for(timeout=60_000)
    with player.opened() as viewer:
        log_in(viewer, user)
        viewer.watch(page_url)
        assert viewer.failed == [], viewer.failed


@dataclass(frozen=True)
class Player:
    """A player as its users get it, and the script that makes it play."""

    script_path: str
    script: str


PLAYERS = {
    "hls.js": Player(
        "hls.js/dist/hls.min.js",
        "const hls = new Hls(); hls.loadSource(url); hls.attachMedia(video);",
    ),
    "video.js": Player(
        "video.js/dist/video.min.js",
        "const made = videojs(video); made.src({src: url, type: 'application/x-mpegURL'});",
    ),
    "shaka": Player(
        "shaka-player/dist/shaka-player.compiled.js",
        # It doesn't mind EXT-X-START, so it is told where to begin.
        "const made = new shaka.Player(); await made.attach(video); await made.load(url, 0);",
    ),
}
PLAY = """async (url) => {{
  const video = document.querySelector('video');
  window.begun = null;
  video.addEventListener('playing', () => {{ window.begun ??= video.currentTime; }});
  {script}
  const element = document.querySelector('video');
  element.muted = true;
  element.playbackRate = 2;
  const play = () => element.play().catch(() => setTimeout(play, 200));
  play();
}}"""


@pytest.fixture(scope="module")
def elsewhere(node_modules: Path) -> Iterator[str]:
    """Give another site, for pages that embed our videos."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(node_modules))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", PLAYERS)
def test_players_start_at_the_beginning_and_go_on_to_the_end(
    encode: Encode, elsewhere: str, node_modules: Path, name: str
) -> None:
    chosen = PLAYERS[name]
    with player.opened() as viewer:
        page = viewer.page
        page.goto(f"{elsewhere}/{chosen.script_path}")
        page.set_content("<video id=video muted playsinline></video>")
        page.add_script_tag(path=node_modules / chosen.script_path)
        with encode.going_on():
            page.evaluate(PLAY.format(script=chosen.script), encode.address)
            page.wait_for_function("() => window.begun !== null", timeout=60_000)
            assert page.evaluate("() => window.begun") < 0.5
            page.wait_for_function(
                f"() => document.querySelector('video').currentTime > {SECONDS - 0.5}",
                timeout=1000 * PATIENCE_S,
            )
        page.wait_for_function("() => document.querySelector('video').ended", timeout=60_000)
        assert page.evaluate("() => document.querySelector('video').duration") == pytest.approx(
            SECONDS, abs=0.1
        )
