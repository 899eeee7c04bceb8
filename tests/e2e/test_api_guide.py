"""Every example of docs/api.md works as it stands, in its order."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from tests import installation, servers, sources
from tests.e2e import player
from tests.installation import ROOT

pytestmark = [pytest.mark.xdist_group("api guide"), pytest.mark.usefixtures("chromium")]

GUIDE = (ROOT / "docs/api.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.S | re.M)
SCRIPT = re.compile(r"<script type=\"module\">(.*?)</script>", re.S)
# What a block leaves to the next one: variables, exported or not, and functions.
FRAME = (
    "if [ -e state ]; then . ./state; fi\nset -aeuo pipefail\n{}\n{{ export -p; declare -f; }} > state\n"
)


@dataclass(frozen=True)
class Example:
    """A block of the guide, and the heading it stands under."""

    number: int
    heading: str
    language: str
    text: str


def examples() -> list[Example]:
    found = []
    for number, match in enumerate(BLOCK.finditer(GUIDE)):
        heading = ["The API", *re.findall(r"^##+ (.*)$", GUIDE[: match.start()], re.M)][-1]
        found.append(Example(number, heading, match[1], match[2]))
    return found


@dataclass
class Reader:
    """Someone who types the examples into a folder of their own."""

    folder: Path
    modules: Path
    stands_for: dict[str, str]
    said: str = ""
    left_running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def adapt(self, text: str) -> str:
        for written, meant in self.stands_for.items():
            text = text.replace(written, meant)
        return text

    def type(self, script: str) -> str:
        """Run a line of the shell as the reader's shell would; gives what it says."""
        return self._run(["bash", "-c", FRAME.format(script)])

    def variables(self) -> dict[str, str]:
        said = self._run(["bash", "-c", ". ./state; env -0"])
        return dict(line.split("=", 1) for line in said.split("\0") if "=" in line)

    def run(self, example: Example) -> None:
        name = {"python": "block.py", "js": "block.mjs"}[example.language]
        (self.folder / name).write_text(self.adapt(example.text))
        program = {"python": sys.executable, "js": "node"}[example.language]
        if "app.run" in example.text:
            command = ["bash", "-c", f". ./state; exec {program} {name}"]
            with (self.folder / "server.txt").open("wb") as log:
                self.left_running.append(
                    subprocess.Popen(command, cwd=self.folder, env=self.env, stdout=log, stderr=log)
                )
            return
        self.said = self._run(["bash", "-c", f". ./state; exec {program} {name}"])

    @property
    def env(self) -> dict[str, str]:
        paths = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        clean = {k: v for k, v in os.environ.items() if not k.startswith("NEXTSTREAM_")}
        return {**clean, "PATH": paths, "PYTHONPATH": str(ROOT), "HOME": str(self.folder)}

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def open(self, page: Page, example: Example) -> None:
        """Show a page as a bundler would deliver it, with the words in capitals filled in."""
        text, known = self.adapt(example.text), self.variables()
        known["ACCESS_TOKEN"] = known["TOKEN"]
        for name in re.findall(r"\b([A-Z0-9]+_[A-Z]+)\b", text):
            text = text.replace(name, known[name])
        scripts = SCRIPT.findall(text)
        page.set_content(SCRIPT.sub("", text))
        for script in scripts:
            page.add_script_tag(content=self._bundle(script), type="module")

    def _bundle(self, script: str) -> str:
        source, made = self.folder / "page.mjs", self.folder / "page.js"
        source.write_text(script)
        command = [self.modules / ".bin" / "esbuild", source, "--bundle", f"--outfile={made}"]
        subprocess.run(
            [*command, "--format=esm", "--target=esnext"], check=True, capture_output=True, timeout=120
        )
        return made.read_text()


@pytest.fixture(scope="module")
def reader(
    s3_url: str, node_modules: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Reader]:
    """Give a reader with a server that allows all that the guide shows."""
    folder = tmp_path_factory.mktemp("guide")
    sources.steady(folder / "clip.mp4", seconds=3, size="640x480")
    (folder / "node_modules").symlink_to(node_modules)
    with files(folder) as far:
        chosen = {
            "STORAGE_URL": s3_url,
            "IMPORTS": "true",
            "IMPORT_PORTS": far.rpartition(":")[2],
            "IMPORT_NETWORKS": "127.0.0.0/8",
            "OUTSIDE_PRIVATE": "true",
            "CORS_ORIGINS": "*",
        }
        env = {f"NEXTSTREAM_{name}": value for name, value in chosen.items()}
        with installation.running(folder / "data", env) as house:
            hook = str(servers.free_port())
            stands_for = {
                "https://video.example.com": house.url,
                "https://files.example.com": far,
                "127.0.0.1:9000": f"127.0.0.1:{hook}",
                "port=9000": f"port={hook}",
            }
            reader = Reader(folder, node_modules, stands_for)
            yield reader
            for process in reader.left_running:
                servers.end(process, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def files(folder: Path) -> Iterator[str]:
    """Serve a folder as another site would."""
    handler = functools.partial(Quiet, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def page(reader: Reader) -> Iterator[Page]:
    """Give a page of the server's own address; the bucket of the tests knows no CORS."""
    with sync_playwright() as playwright:
        arguments = [*player.ARGUMENTS, "--disable-web-security"]
        browser = playwright.chromium.launch(executable_path=player.CHROMIUM, args=arguments)
        page = browser.new_page(bypass_csp=True)
        page.set_default_timeout(60_000)
        page.goto(f"{reader.stands_for['https://video.example.com']}/healthz")
        yield page
        browser.close()


@pytest.mark.parametrize(
    "example", examples(), ids=lambda each: f"{each.number:02} {each.language}, {each.heading}"
)
def test_each_example_works(example: Example, reader: Reader, request: pytest.FixtureRequest) -> None:
    if example.language == "sh":
        reader.said = reader.type(reader.adapt(example.text))
    elif example.language == "json":
        answers = [json.loads(line) for line in reader.said.splitlines() if line.startswith("{")]
        assert any(shows(json.loads(example.text), answer) for answer in answers), answers
    elif example.language == "html":
        look(request.getfixturevalue("page"), reader, example)
    else:
        reader.run(example)


def look(page: Page, reader: Reader, example: Example) -> None:
    """Use a page: send the file where it asks for one, else watch until it plays."""
    if "<video" in example.text:
        reader.open(page, example)
        page.wait_for_function("document.querySelector('video').currentTime > 0.3")
        return
    with page.expect_console_message(lambda said: said.text in ("sent", "failed")) as said:
        reader.open(page, example)
        page.locator("#file").set_input_files(reader.folder / "clip.mp4")
    assert said.value.text == "sent"


def shows(written: object, said: object) -> bool:
    """Tell whether an answer has the members that the guide shows, of the kinds it shows."""
    if isinstance(written, dict) and isinstance(said, dict):
        return all(name in said and shows(value, said[name]) for name, value in written.items())
    if isinstance(written, list) and isinstance(said, list):
        return bool(said) and all(map(shows, written, said))
    return None in (written, said) or type(written) is type(said)
