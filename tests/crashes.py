"""Uploads whose server dies at a chosen step of its storage or database, and goes on in another one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from nextstream import wiring
from nextstream.adapters.clock import HandClock
from nextstream.adapters.dispatch_memory import MemoryDispatcher
from nextstream.adapters.storage_s3 import S3Storage
from nextstream.domain.accounts import Account, Role
from nextstream.domain.uploading import Stage
from nextstream.domain.video import State
from nextstream.errors import NextStreamError
from nextstream.ports import Database, Platform, Storage, Transaction, Upload
from nextstream.services import resumable, upload_ends
from nextstream.services.upload_leases import LEASE_S

CLOCK = HandClock()
OWNER = Account("ada", "ada", "", Role.UPLOADER, CLOCK.now())


class Crash(BaseException):
    """The process is dead."""


@dataclass
class Fuse:
    """Counts steps, and from the one it blows at on every step is a crash."""

    blow_at: int | None = None
    steps: int = 0

    def step(self) -> None:
        self.steps += 1
        if self.blow_at is not None and self.steps >= self.blow_at:
            raise Crash


@dataclass
class FragileDatabase:
    """A database whose transactions crash before they begin, before they commit, or after."""

    database: Database
    fuse: Fuse
    __hash__ = object.__hash__

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        self.fuse.step()
        with self.database.transaction() as tx:
            yield tx
            self.fuse.step()
        self.fuse.step()

    def reading(self) -> AbstractContextManager[Transaction]:
        return self.database.reading()

    def close(self) -> None:
        self.database.close()


class Fragile:
    """Anything whose methods crash before they run or after, with every value that they give."""

    def __init__(self, inner: Any, fuse: Fuse) -> None:
        self._inner, self._fuse = inner, fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name == "multipart":
            return Fragile(found, self._fuse)
        if not callable(found) or name in ("exceptions", "meta", "get_paginator"):
            return found
        return self._run_each(found) if name == "append" else self._run(found)

    def _run(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **options: Any) -> Any:
            self._fuse.step()
            result = method(*args, **options)
            self._fuse.step()
            return result

        return run

    def _run_each(self, method: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        def run(*args: Any) -> Iterator[Any]:
            for result in method(*args):
                self._fuse.step()
                yield result

        return run


def fragile(storage: Storage, fuse: Fuse) -> Storage:
    """Give a storage that crashes: S3 at each of its requests, the others at each of our calls."""
    if isinstance(storage, S3Storage):
        return S3Storage(Fragile(storage._client, fuse), storage._bucket, storage._prefix.rstrip("/"))
    return Fragile(storage, fuse)  # type: ignore[return-value]  # it has all that the inner one has


@dataclass
class World:
    """What outlives the processes: storage, database and what was told to the client."""

    storage: Storage
    database: Database
    dispatcher: MemoryDispatcher = field(default_factory=MemoryDispatcher)
    crashes: int = 0
    cuts: int = 0
    backwards: int = 0

    def process(self, fuse: Fuse) -> Platform:
        """Give the platform of a new process."""
        return wiring.in_memory(
            clock=CLOCK,
            storage=fragile(self.storage, fuse),
            database=FragileDatabase(self.database, fuse),
            dispatcher=self.dispatcher,
        )


@dataclass
class Client:
    """Sends a body as a careful client would: asks for the offset, and goes on from there."""

    world: World
    body: bytes
    part_bytes: int
    dice: random.Random
    told: int = 0
    upload_id: str | None = None

    def upload(self, fuses: Iterator[Fuse]) -> Upload:
        """Send all, by one process after the other; gives the upload at its end."""
        while True:
            fuse = next(fuses)
            platform = self.world.process(fuse)
            try:
                return self._go_on(platform)
            except Crash:
                self.world.crashes += 1
                CLOCK.advance(LEASE_S + 1)  # the dead process's lease ends
            except NextStreamError as error:
                if not error.retryable and error.status != 409:
                    raise

    def _go_on(self, platform: Platform) -> Upload:
        upload = self._begin(platform)
        while upload.offset < len(self.body):
            end = min(len(self.body), upload.offset + self.dice.randrange(1, 3 * self.part_bytes))
            sent = self.body[upload.offset : end]
            announced = len(sent)
            if self.dice.random() < 0.3:  # the connection breaks off, and its end looks clean
                sent = sent[: self.dice.randrange(len(sent))]
                self.world.cuts += 1
            upload = resumable.write(platform, upload, upload.offset, self._blocks(sent), announced)
            self._hear(upload)
        if upload.stage is not Stage.DONE:
            upload = self._hear(resumable.look(platform, upload))
        return upload

    def _begin(self, platform: Platform) -> Upload:
        if self.upload_id is None:
            wish = resumable.Wish(len(self.body), "clip.mp4")
            self.upload_id = resumable.create(platform, OWNER, wish).id
            self._shrink(platform)
        with platform.database.transaction() as tx:
            upload = tx.uploads.get(self.upload_id)
        return self._hear(resumable.look(platform, upload))

    def _shrink(self, platform: Platform) -> None:
        """Let the upload have small parts, so that few bytes are many steps."""
        with self.world.database.transaction() as tx:
            held = tx.uploads.take(str(self.upload_id), CLOCK.now(), CLOCK.now())
            if held:
                tx.uploads.save(replace(held, part_bytes=self.part_bytes))
                tx.uploads.release(held)

    def _hear(self, upload: Upload) -> Upload:
        if upload.offset < self.told:
            self.world.backwards += 1
        self.told = max(self.told, upload.offset)
        return upload

    def _blocks(self, sent: bytes) -> Iterator[bytes]:
        size = self.dice.choice([1000, 65_536, 1_000_003])
        return (sent[at : at + size] for at in range(0, len(sent), size))


def faults(world: World, upload: Upload, body: bytes) -> list[str]:
    """Tell what is wrong with an upload that is said to be done."""
    found = []
    video_id = upload.id
    upload_ends.expire(world.process(Fuse()))
    with world.database.transaction() as tx:
        video = tx.videos.get(video_id)
        pieces = tx.pieces.list(video_id, 1)
        events = [entry.event.type for entry in tx.outbox.page(0, 100, video_id)]
    if video.state is not State.UPLOADED or video.size_bytes != len(body):
        found.append(f"the video is {video.state} with {video.size_bytes} bytes")
    elif world.storage.read(upload.key) != body:
        found.append("the bytes are others")
    if len(pieces) != 1 or events != ["video.created", "video.uploaded"]:
        found.append(f"work was begun {len(pieces)} times: {events}")
    left = [each.key for each in world.storage.list("") if each.key != upload.key]
    mine = [key for key in left if video_id in key]
    if mine:
        found.append(f"left behind: {mine}")
    return found
