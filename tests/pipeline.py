"""The whole pipeline on a file in this process, with real ffmpeg and a folder as storage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from nextstream import wiring
from nextstream.adapters.encoder import FfmpegEncoder
from nextstream.adapters.storage_local import LocalStorage
from nextstream.domain import paths
from nextstream.domain.plan import PROBE
from nextstream.domain.video import State, Video
from nextstream.ports import Platform
from nextstream.services import transcoding
from nextstream.settings import Settings

ID = "a1b2c3"
SMALL = Settings(heights="180,120", preset="ultrafast", chunk_s=12, secret_key="k" * 32)


def transcode(
    source: Path, folder: Path, settings: Settings = SMALL, title: str = "T"
) -> tuple[Platform, Video]:
    """Transcode a file into a folder, and give the platform and the video, which is ready."""
    storage = LocalStorage(folder)
    storage.adopt(paths.source(ID), source)
    platform = wiring.in_memory(storage=storage, encoder=FfmpegEncoder(settings))
    platform = replace(platform, settings=settings)
    now, size_bytes = platform.clock.now(), source.stat().st_size
    with platform.database.transaction() as tx:
        tx.videos.add(Video(ID, "owner", title, source.name, now, State.UPLOADED, size_bytes=size_bytes))
        tx.pieces.add(ID, 1, [PROBE])
    video = transcoding.run(platform, ID, 1, slots=2)
    assert video.state is State.READY, video.failure
    return platform, video
