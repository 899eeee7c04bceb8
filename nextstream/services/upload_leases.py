"""Leases on uploads: one request writes at a time, kept by a heartbeat, given up when another asks.

One thread in each process beats for all of its leases, so that a client of some KB/s, whose
next block takes a while, keeps its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

import structlog

from nextstream.domain.uploading import ENDED
from nextstream.errors import NextStreamError, UploadGone, UploadLocked
from nextstream.ports import Database, Platform, Upload

log = structlog.get_logger()

LEASE_S = 10.0  # how long a killed server keeps others from its uploads
BEAT_EVERY_S = 1.0
SILENT_S = 3.0  # a client of 50 KB/s sends a block in half of it
WAIT_S = 6.0  # for a holder whose client is gone to hear of it and note what it has
POLL_S = 0.2

Interrupt = Callable[[], None]  # ends the wait for a client's next bytes, from another thread


@dataclass
class Hold:
    """A lease that this process holds; `stop` tells its request to end, `check` that it may go on."""

    upload: Upload
    interrupt: Interrupt
    beaten_at: float
    heard_at: float
    stop: bool = False
    lost: bool = False

    def hear(self) -> None:
        """Note that the client sent something."""
        self.heard_at = time.monotonic()

    def check(self) -> None:
        """Raise UploadLocked where another request may be writing by now."""
        if self.lost or time.monotonic() - self.beaten_at > LEASE_S:
            raise UploadLocked(detail="the lease was lost")


@dataclass
class Keeper:
    """Beats for the leases of one database in this process."""

    platform: Platform
    holds: dict[str, Hold] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    thread: threading.Thread | None = None

    def add(self, hold: Hold) -> None:
        """Keep a lease, and see to it that somebody beats."""
        with self.lock:
            self.holds[str(hold.upload.token)] = hold
            if self.thread is None:
                self.thread = threading.Thread(target=self._run, name="upload-leases", daemon=True)
                self.thread.start()

    def drop(self, hold: Hold) -> None:
        """Keep a lease no longer."""
        with self.lock:
            self.holds.pop(str(hold.upload.token), None)

    def _run(self) -> None:
        while True:
            time.sleep(BEAT_EVERY_S)
            with self.lock:
                if not self.holds:
                    self.thread = None
                    return
                holds = dict(self.holds)
            try:
                self._beat(holds)
            except NextStreamError as error:  # the database may be back for the next beat
                log.warning("leases of uploads were not lengthened", error=str(error))

    def _beat(self, holds: dict[str, Hold]) -> None:
        now = time.monotonic()
        with self.platform.database.transaction() as tx:
            kept = tx.uploads.beat(holds.keys(), _lease_until(self.platform))
        for token, hold in holds.items():
            if token not in kept:
                hold.lost = True
                hold.interrupt()
                continue
            hold.beaten_at = now
            if kept[token] and now - hold.heard_at > SILENT_S:
                hold.stop = True
                hold.interrupt()


_keepers: WeakKeyDictionary[Database, Keeper] = WeakKeyDictionary()
_keepers_lock = threading.Lock()


@contextmanager
def held(
    platform: Platform, upload_id: str, interrupt: Interrupt = lambda: None, wait_s: float | None = None
) -> Iterator[Hold]:
    """Hold the lease of an upload for the block.

    Another holder is asked to stop, and does when its client has been silent for some seconds;
    raises UploadLocked where it doesn't, and UploadGone for an upload that has ended.
    """
    upload = _take(platform, upload_id, WAIT_S if wait_s is None else wait_s)
    hold, keeper = Hold(upload, interrupt, time.monotonic(), time.monotonic()), _keeper(platform)
    keeper.add(hold)
    try:
        yield hold
    finally:
        keeper.drop(hold)
        with suppress(NextStreamError), platform.database.transaction() as tx:
            tx.uploads.release(upload)  # else it ends by itself


def wait_for_silent(platform: Platform, upload_id: str, wait_s: float) -> Upload:
    """Give an upload when nobody writes it, or as it is after some seconds; raises UploadNotFound.

    A client that comes back asks for the offset first: what its broken connection left is then noted.
    """
    deadline = time.monotonic() + wait_s
    while True:
        now = platform.clock.now()
        with platform.database.transaction() as tx:
            upload = tx.uploads.get(upload_id)
            is_held = upload.token and upload.lease_until and upload.lease_until > now
            if is_held and not upload.asked:
                tx.uploads.ask(upload_id)
        if not is_held or time.monotonic() > deadline:
            return upload
        time.sleep(POLL_S)


def _take(platform: Platform, upload_id: str, wait_s: float) -> Upload:
    deadline = time.monotonic() + wait_s
    while True:
        now = platform.clock.now()
        with platform.database.transaction() as tx:
            taken = tx.uploads.take(upload_id, now, _lease_until(platform))
            if taken is None:
                if tx.uploads.get(upload_id).stage in ENDED:
                    raise UploadGone
                tx.uploads.ask(upload_id)
        if taken is not None:
            return taken
        if time.monotonic() > deadline:
            raise UploadLocked
        time.sleep(POLL_S)


def _lease_until(platform: Platform) -> datetime:
    return platform.clock.now() + timedelta(seconds=LEASE_S)


def _keeper(platform: Platform) -> Keeper:
    with _keepers_lock:
        return _keepers.setdefault(platform.database, Keeper(platform))
