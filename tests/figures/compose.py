"""docker-compose.yml, run whole: from `up` to ready, a video through the gateway, a worker killed.

    python -m tests.figures.compose [FILE]

Needs root, podman and what tests/podman wants. The images are built before; the ladder is the default.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests import compose, podman
from tests.compose import Stack
from tests.conftest import MEDIA
from tests.e2e.test_compose import busy_worker


def main() -> None:
    clip = Path(sys.argv[1] if len(sys.argv) > 1 else MEDIA / "big-buck-bunny-1080p-30s.mp4")
    compose.SETTINGS.clear()  # the ladder as a user has it
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        podman.need()
        podman.build_all()
        print("| what | measured |\n| --- | --- |")
        show("images built, as far as they weren't", f"{time.monotonic() - begun:.0f} s")
        for image, size_bytes, base_bytes in sizes():
            show(
                f"{image}: size, and above its base", f"{mb(size_bytes)}, {mb(size_bytes - base_bytes)}"
            )
        with compose.running(Path(folder)) as stack:
            measure(stack, clip)


def measure(stack: Stack, clip: Path) -> None:
    show("`up` to all health checks green", f"{stack.took_s:.0f} s")
    lasting = [c for c in stack.containers() if compose.service_of(c) not in compose.ONE_SHOT]
    green = sum(compose.is_healthy(c["Name"]) for c in lasting)
    show("health checks green", f"{green} of {len(lasting)}")
    begun = time.monotonic()
    video_id = stack.upload(clip)
    show("the upload, through the gateway's container", f"{time.monotonic() - begun:.1f} s")
    show_times("its end to", stack, video_id)
    show("segments fetched of the clip", str(stack.fetch_all(video_id)))
    begun = time.monotonic()
    stack.scale("worker", 3)
    stack.wait_healthy()
    show("one worker to three, green", f"{time.monotonic() - begun:.0f} s")
    video_id = stack.upload(clip)
    podman.run("kill", "--signal=KILL", busy_worker(stack))
    ended = show_times("again, one of three killed: upload's end to", stack, video_id)
    assert ended["state"] == "ready", ended


def show_times(what: str, stack: Stack, video_id: str) -> dict[str, Any]:
    begun = time.monotonic()
    stack.wait(video_id, "playable")
    playable_s = time.monotonic() - begun
    ended = stack.wait(video_id, "ended", wait_s=900)
    show(f"{what} playable, {ended['state']}", f"{playable_s:.1f} s, {time.monotonic() - begun:.1f} s")
    return ended


def sizes() -> list[tuple[str, int, int]]:
    """Give each of our images with its bytes and those of the base that it stands on."""
    base = size_bytes(podman.STANDINS["python"])
    return [(image, size_bytes(image), base) for image in podman.OURS]


def size_bytes(image: str) -> int:
    return int(podman.run("image", "inspect", "--format={{.Size}}", image))


def mb(number: int) -> str:
    return f"{number / 1e6:.0f} MB"


def show(what: str, measured: str) -> None:
    print(f"| {what} | {measured} |", flush=True)


if __name__ == "__main__":
    main()
