"""Chromium as a viewer: what its media source holds, how fast it seeks, whether it plays on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
]
# Every source buffer is kept, so that the test sees where sound and picture really start.
KEEP_BUFFERS = """
window.buffers = {};
const add = MediaSource.prototype.addSourceBuffer;
MediaSource.prototype.addSourceBuffer = function (type) {
  const buffer = add.call(this, type);
  window.buffers[type.split('/')[0]] = buffer;
  return buffer;
};
"""
RANGES = """() => Object.fromEntries(Object.entries(window.buffers).map(([kind, buffer]) =>
  [kind, [...Array(buffer.buffered.length).keys()].map(
    (n) => [buffer.buffered.start(n), buffer.buffered.end(n)])]))"""
SEEK = """async (target) => {
  const video = document.querySelector('video'), begun = performance.now();
  video.currentTime = target;
  while (video.seeking || video.readyState < 3 || Math.abs(video.currentTime - target) > 0.5) {
    if (performance.now() - begun > 20000) return -1;
    await new Promise((go) => setTimeout(go, 2));
  }
  return performance.now() - begun;
}"""


@dataclass
class Viewer:
    """A page with a player, and every request of it that failed."""

    page: Page
    failed: list[str] = field(default_factory=list)
    requested: list[str] = field(default_factory=list)

    def watch(self, url: str) -> None:
        """Open a page and wait until its player can play."""
        self.page.goto(url)
        self.page.wait_for_function(
            "() => (document.querySelector('video')?.readyState ?? 0) >= 3", timeout=60_000
        )

    def seek(self, target_s: float) -> float:
        """Seek, and give the milliseconds until there is a picture; -1 where none comes."""
        return float(self.page.evaluate(SEEK, target_s))

    def ranges(self) -> dict[str, list[list[float]]]:
        """Give what is buffered, by `audio` and `video`."""
        found: dict[str, Any] = self.page.evaluate(RANGES)
        return found

    def play_to_end(self, wait_s: float) -> None:
        """Play from here on until the video has ended."""
        self.page.evaluate("() => document.querySelector('video').play()")
        self.page.wait_for_function("() => document.querySelector('video').ended", timeout=wait_s * 1000)

    def quality(self) -> dict[str, int]:
        """Give the frames shown and dropped so far."""
        found: dict[str, int] = self.page.evaluate(
            "() => { const q = document.querySelector('video').getVideoPlaybackQuality();"
            " return {shown: q.totalVideoFrames, dropped: q.droppedVideoFrames}; }"
        )
        return found


@contextmanager
def opened(cookies: list[dict[str, Any]] | None = None) -> Iterator[Viewer]:
    """Open a browser without a window."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), headless=True, args=ARGUMENTS)
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.add_init_script(KEEP_BUFFERS)
        context.add_cookies(cookies or [])  # type: ignore[arg-type]  # plain dicts of its own shape
        viewer = Viewer(context.new_page())
        viewer.page.on("request", lambda request: viewer.requested.append(request.url))
        viewer.page.on("requestfailed", lambda request: _note(viewer, request.url, request.failure))
        viewer.page.on(
            "response", lambda r: _note(viewer, r.url, str(r.status)) if r.status >= 400 else None
        )
        try:
            yield viewer
        finally:
            browser.close()


def _note(viewer: Viewer, url: str, why: str | None) -> None:
    # A player drops requests it no longer needs when a viewer seeks; those didn't fail.
    if why != "net::ERR_ABORTED":
        viewer.failed.append(f"{why} {url}")
