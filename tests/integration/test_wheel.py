"""What `pip install .` brings: all files of the code, and the command."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.installation import ROOT

PACKAGES = ("nextstream", "web", "gateway", "tasks")


def test_an_installed_package_has_every_file_and_the_command(tmp_path: Path) -> None:
    for name in PACKAGES:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "celeryconfig.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "."], cwd=tmp_path, check=True, capture_output=True, timeout=240)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        brought = set(packed.namelist())
        (entries,) = (name for name in brought if name.endswith("entry_points.txt"))
        assert "nextstream = nextstream.cli:main" in packed.read(entries).decode()
    wanted = {
        str(path.relative_to(ROOT))
        for name in PACKAGES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted | {"celeryconfig.py"} <= brought
