"""Players from npm in Chromium, and whether they play a package, seek in it, end, and show captions."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from nextstream.domain import paths
from tests.e2e.player import Viewer
from tests.workers import ROOT

# Each player as its documentation starts it. `start(video, source)` may be waited for; `fail` gets
# what can't be mended, and `captions` turns the first subtitles on.
HLS_JS = """
import("/node_modules/hls.js/dist/hls.mjs").then(({ default: Hls }) => {
  const hls = new Hls();
  window.player = hls;
  hls.on(Hls.Events.ERROR, (_, error) => { if (error.fatal) fail(error.details); });
  hls.loadSource(source);
  hls.attachMedia(video);
  window.captions = () => { hls.subtitleTrack = 0; hls.subtitleDisplay = true; };
});
"""
SHAKA = """
load("/node_modules/shaka-player/dist/shaka-player.compiled.js").then(async () => {
  shaka.polyfill.installAll();
  const player = new shaka.Player();
  window.player = player;
  player.addEventListener("error", ({ detail }) => { if (detail.severity > 1) fail(detail.code); });
  await player.attach(video);
  await player.load(source);
  window.captions = () => player.selectTextTrack(player.getTextTracks()[0]);
}).catch((error) => fail(error.code ?? error));
"""
VIDEO_JS = """
load("/node_modules/video.js/dist/video.js").then(() => {
  video.className = "video-js";
  const own = { vhs: { overrideNative: true }, nativeAudioTracks: false, nativeVideoTracks: false };
  const player = videojs(video, { html5: own, preload: "auto" });
  window.player = player;
  player.on("error", () => fail(player.error().message));
  player.src({ src: source, type: "application/vnd.apple.mpegurl" });
  window.captions = () => {
    window.textTracks = () => player.textTracks();
    Array.from(player.textTracks()).find((track) => track.kind === "subtitles").mode = "showing";
  };
});
"""
DASH_JS = """
load("/node_modules/dashjs/dist/modern/umd/dash.all.min.js").then(() => {
  const player = dashjs.MediaPlayer().create();
  window.player = player;
  player.on("error", ({ error }) => fail(error.message));
  player.initialize(video, source, false);
  window.captions = () => { player.enableText(true); player.setTextTrack(0); };
});
"""
PLAYERS = {
    "hls.js": (HLS_JS, paths.MASTER),
    "shaka hls": (SHAKA, paths.MASTER),
    "video.js": (VIDEO_JS, paths.MASTER),
    "shaka dash": (SHAKA, paths.MANIFEST),
    "dash.js": (DASH_JS, paths.MANIFEST),
}
PAGE = """<!doctype html><video controls muted width="640" height="360"></video><script>
window.failures = [];
window.fail = (why) => { failures.push(String(why)); };
const video = document.querySelector("video"), source = SOURCE;
const load = (src) => new Promise((done, broken) => {
  const script = document.createElement("script");
  Object.assign(script, { src, onload: done, onerror: () => broken("no " + src) });
  document.head.append(script);
});
PLAYER
</script>"""
PROGRESS = """(wanted) => failures.length || (() => {
  const video = document.querySelector("video");
  return video && video.readyState >= 2 && video.currentTime >= wanted;
})()"""
CUES = """() => {
  const tracks = window.textTracks?.() ?? document.querySelector("video").textTracks;
  const texts = Array.from(tracks).filter(({ kind }) => ["subtitles", "captions"].includes(kind));
  const cues = texts.flatMap((track) => Array.from(track.cues ?? []));
  return cues.map((cue) => [cue.startTime, cue.text]);
}"""


@dataclass
class Played:
    """What a player did: `why` is empty where it played from start to end."""

    why: str = ""
    duration_s: float = 0.0
    starts_s: dict[str, float] = field(default_factory=dict)
    cues: list[tuple[float, str]] = field(default_factory=list)


def package(source: Path, folder: Path, **settings: str) -> Path:
    """Transcode a file into a folder, and give that; settings by name."""
    env = {"NEXTSTREAM_HEIGHTS": "240,144", "NEXTSTREAM_PRESET": "ultrafast"}
    env |= {f"NEXTSTREAM_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "nextstream", "transcode", source, "--out", folder]
    done = subprocess.run(
        command,
        env={"PYTHONPATH": str(ROOT), **env},
        cwd=folder.parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def play(viewer: Viewer, url: str, name: str, *, captions: bool = False, wait_s: float = 60) -> Played:
    """Play a package with a player: a second from the start, and from near the end until it ends."""
    page = viewer.page
    page.goto(f"{url}/player/{name.replace(' ', '-')}")
    try:
        _advance(viewer, 1.0, wait_s)
        played = Played(duration_s=page.evaluate("() => document.querySelector('video').duration"))
        spans = viewer.ranges()
        played.starts_s = {kind: ranges[0][0] for kind, ranges in spans.items() if ranges}
        if captions:
            page.evaluate("() => window.captions()")
            page.wait_for_function(f"() => ({CUES})().length > 1", timeout=wait_s * 1000)
            played.cues = sorted({(start, text) for start, text in page.evaluate(CUES)})
            # dash.js may miss the end of a video that is sought in right after its text changed.
            _advance(viewer, 3.0, wait_s)
        target = max(0.0, played.duration_s - 1.5)
        page.evaluate("(target) => { document.querySelector('video').currentTime = target; }", target)
        viewer.play_to_end(wait_s)
        failures = page.evaluate("() => failures")
        return played if not failures else Played(why=str(failures))
    except Exception as error:  # noqa: BLE001  whatever it is, it is the result
        return Played(why=f"{page.evaluate('() => failures')} {str(error).splitlines()[0]}")


def _advance(viewer: Viewer, seconds: float, wait_s: float) -> None:
    ready = "() => failures.length || document.querySelector('video')?.readyState >= 2"
    viewer.page.wait_for_function(ready, timeout=wait_s * 1000)
    viewer.page.evaluate("() => { document.querySelector('video').play().catch(() => {}); }")
    viewer.page.wait_for_function(PROGRESS, arg=seconds, timeout=wait_s * 1000)
    if failures := viewer.page.evaluate("() => failures"):
        raise AssertionError(failures)


@contextmanager
def served(folder: Path, node_modules: Path, base_url: str = "") -> Iterator[str]:
    """Serve a package at its root, the modules, and a page for each player; give the address.

    The players take the package from `base_url`, where that is given.
    """
    server = _Server(("127.0.0.1", 0), partial(_Files, folder, node_modules, base_url))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """Say nothing: players drop connections when viewers seek."""


class _Files(SimpleHTTPRequestHandler):
    """A package, the players, and a page for each player."""

    protocol_version = "HTTP/1.1"  # with connections that stay, as real servers have
    extensions_map = {  # noqa: RUF012  as the base class has it
        **{f".{ending}": kind for ending, kind in paths.MIME_TYPES.items()},
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        "": "application/octet-stream",
    }

    def __init__(self, folder: Path, node_modules: Path, base_url: str, *arguments: Any) -> None:
        self.folder, self.node_modules, self.base_url = folder, node_modules, base_url
        super().__init__(*arguments)

    def translate_path(self, path: str) -> str:
        plain = path.partition("?")[0].lstrip("/")
        home = self.node_modules.parent if plain.startswith("node_modules/") else self.folder
        return str(home / plain)

    def do_GET(self) -> None:
        if not self.path.startswith("/player/"):
            super().do_GET()
            return
        script, manifest = PLAYERS[self.path.rpartition("/")[2].replace("-", " ")]
        source = json.dumps(f"{self.base_url}/{manifest}")
        page = PAGE.replace("PLAYER", script).replace("SOURCE", source).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: Any) -> None:
        pass
