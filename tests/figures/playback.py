"""Playback of the clip in Chromium: where it starts, five seeks, play to the end, failed requests.

python -m tests.figures.playback [FILE]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests import installation
from tests.conftest import MEDIA
from tests.e2e import player

SEEKS_S = (25.0, 3.0, 14.5, 8.25, 20.0)


def main() -> None:
    clip = Path(sys.argv[1] if len(sys.argv) > 1 else MEDIA / "big-buck-bunny-1080p-30s.mp4")
    with tempfile.TemporaryDirectory() as folder, installation.running(Path(folder, "data")) as house:
        video = house.wait_ended(house.upload(clip)["id"])
        with player.opened() as viewer:
            viewer.watch(f"{house.url}/watch/{video['id']}")
            starts = {kind: spans[0][0] for kind, spans in viewer.ranges().items()}
            print(f"ranges start at {starts}")
            print("seeks, ms:", {target: round(viewer.seek(target)) for target in SEEKS_S})
            viewer.seek(0.0)
            viewer.play_to_end(wait_s=120)
            print(f"buffered at the end {viewer.ranges()}")
            print(f"frames {viewer.quality()}")
            print(f"failed requests {len(viewer.failed)} of {len(viewer.requested)} {viewer.failed}")


if __name__ == "__main__":
    main()
