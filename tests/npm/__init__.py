"""Programs and players from npm, as their users get them; installed once into a folder of the cache."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.servers import CACHE, Missing

HERE = Path(__file__).parent
FILES = ("package.json", "package-lock.json")


def modules() -> Path:
    """Give the folder node_modules of what package-lock.json names; raises Missing."""
    if not shutil.which("npm"):
        raise Missing("npm is not on this machine")
    lock_hash = hashlib.sha256((HERE / FILES[1]).read_bytes()).hexdigest()[:12]
    home = CACHE / f"npm-{lock_hash}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "npm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other test processes want it at the same time
        if not home.is_dir():
            _install(home)
    return home / "node_modules"


def _install(home: Path) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        folder = Path(work, "home")
        folder.mkdir()
        for name in FILES:
            shutil.copy(HERE / name, folder)
        # No scripts: nothing here needs to be built, and packages of strangers should run nothing.
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, check=False, capture_output=True, timeout=300)
        if done.returncode:
            raise Missing(f"npm's packages can't be had: {done.stderr.decode()[-500:]}")
        folder.rename(home)
