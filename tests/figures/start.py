"""From `git clone` to the clip playable: `make up` to ready, and the upload's end to ready.

    python -m tests.figures.start [FILE]

The package cache is as warm as pip's is; the clone has no virtual environment.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests import installation
from tests.conftest import MEDIA


def main() -> None:
    clip = Path(sys.argv[1] if len(sys.argv) > 1 else MEDIA / "big-buck-bunny-1080p-30s.mp4")
    with tempfile.TemporaryDirectory() as folder:
        home, data = Path(folder, "nextstream"), Path(folder, "data")
        begun = time.monotonic()
        subprocess.run(["git", "clone", "-q", str(installation.ROOT), str(home)], check=True)
        with installation.running(data, wait_s=500, command=["make", "up"], home=home) as house:
            print(f"git clone and make up to ready: {time.monotonic() - begun:.1f} s", flush=True)
            video = house.upload(clip)
            uploaded = time.monotonic()
            ended = house.wait_ended(video["id"])
            print(
                f"end of the upload to {ended['state']}: {time.monotonic() - uploaded:.1f} s", flush=True
            )
        begun = time.monotonic()
        with installation.running(data, command=["make", "up"], home=home):
            print(f"the next make up to ready: {time.monotonic() - begun:.1f} s")


if __name__ == "__main__":
    main()
