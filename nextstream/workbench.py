"""`nextstream transcode`: the whole pipeline for one file, without servers."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.queues import SimpleQueue
from pathlib import Path

from nextstream import lifeline, logs, wiring
from nextstream.domain import paths
from nextstream.domain.plan import PROBE
from nextstream.domain.video import State, Video
from nextstream.errors import BadRequest, MediaError, NextStreamError
from nextstream.ports import Platform
from nextstream.services import progress, transcoding
from nextstream.services.progress import Progress
from nextstream.settings import Settings

LOOK_EVERY_S = 0.2
OWNER = "command-line"
PATIENCE_S = 2.0


class NotAFile(BadRequest):
    """There is no such file."""


class FolderInUse(BadRequest):
    """The folder for the result isn't empty."""


class Failed(MediaError):
    """The video can't be transcoded."""


Show = Callable[[Progress | None], None]
Said = tuple[str, str | None]  # an error's message and detail


def transcode(settings: Settings, file: Path, out: Path, show: Show) -> Path:
    """Transcode a file into the folder `out`, and give the path of its master.m3u8.

    Calls `show` about five times a second, with None before there is a plan. Raises NotAFile,
    FolderInUse, or Failed with the sentence for the user; then, as after an interrupt, nothing is
    left behind.
    """
    if not file.is_file():
        raise NotAFile(f"There is no file {file}.")
    if settings.encrypts:
        raise BadRequest(
            "Files that anyone may read can't be encrypted: leave NEXTSTREAM_ENCRYPTION out."
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FolderInUse(f"{out} is there already and not empty; choose another folder with --out.")
    with _folder_beside(out) as folder:
        # Who waits at a terminal is told of a full disk soon.
        settings = replace(settings, scratch_dir=str(folder), log_level="ERROR", patience_s=PATIENCE_S)
        video = _put_in(settings, folder, file.resolve())
        _work_and_watch(settings, folder, video, show)
        _hand_over(settings, folder, video, out)
    return out / paths.MASTER


@contextmanager
def _folder_beside(out: Path) -> Iterator[Path]:
    """Make a hidden folder on the same disk as the result, so that handing over is a rename."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise BadRequest(f"{out.parent} can't be written ({error.strerror}).") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _opened(
    settings: Settings, folder: Path, adopted: Mapping[str, Path] | None = None
) -> Iterator[Platform]:
    platform = wiring.workbench(settings, folder, adopted)
    try:
        yield platform
    finally:
        platform.database.close()


def _put_in(settings: Settings, folder: Path, file: Path) -> Video:
    """Note the file as an upload that is complete, without copying it."""
    video_id, size_bytes = paths.new_id(), file.stat().st_size
    with _opened(settings, folder, {paths.source(video_id): file}) as platform:
        now = platform.clock.now()
        video = Video(video_id, OWNER, file.stem, file.name, now, State.UPLOADED, size_bytes=size_bytes)
        with platform.database.transaction() as tx:
            tx.videos.add(video)
            tx.pieces.add(video.id, video.version, [PROBE])
    return video


def _work_and_watch(settings: Settings, folder: Path, video: Video, show: Show) -> None:
    """Do the work in a child process; an interrupt kills that, and the kernel then its encoders."""
    context = multiprocessing.get_context("fork")  # everything is imported, and no connection open
    errors = context.SimpleQueue()
    worker = context.Process(target=_work, args=(settings, folder, video, os.getpid(), errors))
    worker.start()
    try:
        with _opened(settings, folder) as platform, _interrupts() as check:
            while worker.is_alive():
                show(_look(platform, video.id))
                worker.join(LOOK_EVERY_S)
                check()
            show(_look(platform, video.id))
    finally:
        worker.kill()
        worker.join()
    if not errors.empty():
        message, detail = errors.get()
        raise Failed(message, detail=detail)


@contextmanager
def _interrupts() -> Iterator[Callable[[], None]]:
    """Hold interrupts back, and give what raises one that came.

    One that hits the clean-up of a library's object is lost: Python can't raise there.
    """
    came: list[int] = []

    def check() -> None:
        if came:
            raise KeyboardInterrupt

    def note(number: int, _: object) -> None:
        came.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _work(
    settings: Settings, folder: Path, video: Video, parent: int, errors: SimpleQueue[Said]
) -> None:
    lifeline.die_with(parent, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
    logs.configure(settings, "transcode")
    try:
        with _opened(settings, folder) as platform:
            transcoding.run(platform, video.id, video.version, settings.slots)
    except NextStreamError as error:  # of the disk or a program: no fault of the video
        errors.put((error.message, error.detail))


def _look(platform: Platform, video_id: str) -> Progress | None:
    with platform.database.transaction() as tx:
        video = tx.videos.get(video_id)
    return progress.measure(platform, video)


def _hand_over(settings: Settings, folder: Path, video: Video, out: Path) -> None:
    """Rename the finished tree to the result; raises Failed where it isn't finished."""
    with _opened(settings, folder) as platform, platform.database.transaction() as tx:
        video = tx.videos.get(video.id)
    if video.state is not State.READY:
        failure = video.failure
        raise Failed(failure.message if failure else None, detail=failure.detail if failure else None)
    Path(platform.storage.locate(paths.tree(video.id, video.version), 0)).rename(out)
