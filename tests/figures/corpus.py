"""Every file of the corpus through the whole pipeline: what it should become, and what it became.

    python -m tests.figures.corpus [PART_OF_NAME]

corpus.tsv says from which files ffmpeg decodes a video frame or an audio sample.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from nextstream import wiring
from nextstream.domain import paths
from nextstream.domain.plan import PROBE
from nextstream.domain.video import State, Video
from nextstream.services import transcoding
from nextstream.settings import Settings
from tests.conftest import MEDIA


@dataclass(frozen=True)
class Row:
    """A file of the corpus, and whether ffmpeg finds pictures and sound in it."""

    name: str
    has_picture: bool
    has_sound: bool


def main() -> None:
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    print("| file | picture | sound | became | renditions | s |\n| --- | --- | --- | --- | --- | --- |")
    wrong = 0
    for row in rows():
        if part not in row.name:
            continue
        begun = time.monotonic()
        video = transcode(MEDIA / "corpus" / row.name)
        took_s = time.monotonic() - begun
        became = video.failure.code if video.failure else video.state
        wrong += (video.state is State.READY) != (row.has_picture or row.has_sound)
        kinds = " ".join(rendition.name for rendition in video.renditions)
        print(
            f"| {row.name} | {row.has_picture} | {row.has_sound} | {became} | {kinds} | {took_s:.1f} |",
            flush=True,
        )
    print(f"\n{wrong} files became something else than they should")


def rows() -> Iterator[Row]:
    for line in (MEDIA / "corpus.tsv").read_text().splitlines():
        if line and not line.startswith("#"):
            name, picture, sound, *_ = line.split("\t")
            yield Row(name, picture == "True", sound == "True")


def transcode(file: Path) -> Video:
    """Run the pipeline over a file in this process, quick and small."""
    settings = replace(Settings(), preset="ultrafast", heights="240", log_level="CRITICAL")
    with tempfile.TemporaryDirectory() as folder:
        video_id = paths.new_id()
        platform = wiring.workbench(settings, Path(folder), {paths.source(video_id): file.resolve()})
        try:
            now, size_bytes = platform.clock.now(), file.stat().st_size
            video = Video(
                video_id, "figures", file.stem, file.name, now, State.UPLOADED, size_bytes=size_bytes
            )
            with platform.database.transaction() as tx:
                tx.videos.add(video)
                tx.pieces.add(video.id, video.version, [PROBE])
            return transcoding.run(platform, video.id, video.version, slots=2)
        finally:
            platform.database.close()


if __name__ == "__main__":
    main()
