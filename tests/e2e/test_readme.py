"""What the README tells a reader to type works as it stands."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests import sources
from tests.installation import ROOT, Installation

pytestmark = pytest.mark.xdist_group("house")


def block(marker: str) -> str:
    found = re.search(rf"<!-- {marker}.*?-->\n```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert found
    return found[1]


def test_the_walk_through_with_curl_works(house: Installation, tmp_path: Path) -> None:
    sources.steady(tmp_path / "clip.mp4", seconds=3, size="640x480")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block("tests/e2e/test_readme.py")],
        cwd=tmp_path,
        env={**os.environ, "NS": house.url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    whole, _, small = done.stdout.rpartition("#EXTM3U")
    assert "RESOLUTION=640x480" in whole
    assert "RESOLUTION=480x360" in small or "RESOLUTION=640x480" in small
    assert "RESOLUTION=320x240" in small


def test_the_files_the_map_names_are_there() -> None:
    text = (ROOT / "README.md").read_text()
    table = text[text.index("| You want to change") :]
    for line in table.splitlines():
        paths = re.findall(r"`([\w/.-]+(?:/|\.py|\.yml))`", line)
        folder = ""
        for path in paths:
            full = (
                path
                if "/" in path or path in ("celeryconfig.py", "docker-compose.yml")
                else folder + path
            )
            folder = full.rpartition("/")[0] + "/"
            assert (ROOT / full).exists(), full
