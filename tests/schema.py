"""MPEG's own schema of DASH manifests, where this machine has it: its licence keeps it out of here."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.servers import Missing

FILE = Path(
    os.environ.get("NEXTSTREAM_TEST_DASH_SCHEMA")
    or Path("~/.cache/nextstream-tests/dash/DASH-MPD.xsd").expanduser()
)


def check(manifest: Path) -> str:
    """Give what is wrong with a manifest, or nothing; raises Missing without schema or xmllint."""
    if not FILE.is_file():
        raise Missing(f"there is no {FILE}; it is DASH-MPD.xsd of MPEG's DASHSchema")
    if not shutil.which("xmllint"):
        raise Missing("there is no xmllint; install the package libxml2-utils")
    command = ["xmllint", "--noout", "--nonet", "--schema", FILE, manifest]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return done.stderr.strip() if done.returncode else ""
