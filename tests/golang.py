"""Programs that are compiled from Go's modules, once, and kept."""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
from pathlib import Path

from tests import servers


def program(module: str, version: str, package: str) -> Path:
    """Give a program of a module, by the name of its package's folder; raises Missing without Go."""
    go = servers.find("go")
    folder = servers.CACHE / "go" / f"{module.replace('/', '-')}-{version}"
    folder.mkdir(parents=True, exist_ok=True)
    found = folder / Path(package).name
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another test process may want it at the same time
        if not found.exists():
            with tempfile.TemporaryDirectory(dir=folder) as work:
                how = {"GOBIN": work, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
                command = [go, "install", "-trimpath", "-ldflags=-s -w", f"{module}/{package}@{version}"]
                subprocess.run(command, env={**os.environ, **how}, check=True, timeout=600)
                Path(work, found.name).rename(found)
    return found


def source(module: str, version: str) -> Path:
    """Give the folder with a module's files, once a program of it was compiled."""
    cache = subprocess.run(["go", "env", "GOMODCACHE"], check=True, capture_output=True, text=True)
    return Path(cache.stdout.strip()) / f"{module}@{version}"
