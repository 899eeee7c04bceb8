"""Metrics for Prometheus: all processes of a machine count in one folder, and one of them answers.

The folder is prometheus_client's multiprocess mode. Web servers and workers are several processes
that come and go, and a counter must go on where the last one left it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from itertools import count
from pathlib import Path
from typing import IO, Any

import prometheus_client
import structlog
from prometheus_client import CollectorRegistry, multiprocess, start_http_server, values

from nextstream.domain import metrics
from nextstream.domain.metrics import Counter, Gauge, Histogram, Metric
from nextstream.errors import Misconfigured

log = structlog.get_logger()

TRY_AGAIN_S = 2.0  # until another process of this machine takes the port of one that ended
FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the library takes the folder from nowhere else
# The library's files, one for each kind, and the bytes that all of our series have room in.
FILES = {"counter": 256 * 1024, "histogram": 1024**2, "gauge_mostrecent": 64 * 1024}


class PrometheusMetrics:
    """Counts in files of this process's seat; port 0 lets the system choose one, for tests."""

    def __init__(self, folder: Path, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._seat, self._lock = _sit_down(folder)
        self._metrics = _make_all(folder, self._seat)
        self._registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(self._registry, path=str(folder))  # type: ignore[no-untyped-call]  # untyped
        self._closed = threading.Event()
        self._serving: threading.Thread | None = None

    def count(self, metric: Counter, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        self._series(metric, labels).inc(amount)

    def observe(self, metric: Histogram, value: float, **labels: str) -> None:
        """Add a value to a histogram."""
        self._series(metric, labels).observe(value)

    def set(self, metric: Gauge, value: float, **labels: str) -> None:
        """Say how much it is now; of all processes the last word counts."""
        self._series(metric, labels).set(value)

    def text(self) -> str:
        """Give what Prometheus would read."""
        return prometheus_client.generate_latest(self._registry).decode()

    def serve(self) -> None:
        """Answer at the port, or be ready to as soon as the process that does so now has ended."""
        if self._serving is None:
            self._serving = threading.Thread(target=self._answer, daemon=True, name="metrics")
            self._serving.start()

    def close(self) -> None:
        """Stop answering, and leave the seat to the next process."""
        self._closed.set()
        if self._serving is not None:
            self._serving.join()
        self._lock.close()

    def _answer(self) -> None:
        while not self._closed.is_set():
            try:
                server, thread = start_http_server(self._port, self._host, self._registry)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:  # by another process of this machine, most likely
                    log.warning("metrics can't be served", error=str(error))
                self._closed.wait(TRY_AGAIN_S)
                continue
            log.debug("metrics are served", port=server.server_port)
            self._closed.wait()
            server.shutdown()
            server.server_close()
            thread.join()

    def _series(self, metric: Metric, labels: dict[str, str]) -> Any:
        found = self._metrics[metric.name]
        return found.labels(**labels) if metric.labels else found


def _make_all(folder: Path, seat: str) -> dict[str, Any]:
    """Make all metrics; those without labels open the files, and later series find them open."""
    values.ValueClass = values.MultiProcessValue(lambda: seat)  # type: ignore[no-untyped-call]  # untyped
    os.environ[FOLDER] = str(folder)
    try:
        return {each.name: _make(each) for each in metrics.ALL}
    finally:
        del os.environ[FOLDER]  # programs that this process starts, such as Flower, count elsewhere


def _make(metric: Metric) -> Any:
    about = (metric.name, metric.doc, metric.labels)
    if isinstance(metric, Histogram):
        return prometheus_client.Histogram(*about, buckets=metric.buckets, registry=None)
    if isinstance(metric, Gauge):
        return prometheus_client.Gauge(*about, multiprocess_mode="mostrecent", registry=None)
    return prometheus_client.Counter(*about, registry=None)


def _sit_down(folder: Path) -> tuple[str, IO[bytes]]:
    """Take a seat, with room in its files; raises Misconfigured."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        seat, lock = _take_seat(folder)
        for kind, size_bytes in FILES.items():
            _make_room(folder / f"{kind}_{seat}.db", size_bytes)
    except OSError as error:
        raise Misconfigured(f"Metrics need a folder to write to: {error}.") from error
    return seat, lock


def _take_seat(folder: Path) -> tuple[str, IO[bytes]]:
    """Take the first seat that no living process has; the kernel frees it, however its owner ends.

    Seats in place of process ids keep the number of files small, and counters from starting anew.
    """
    for number in count():
        file = (folder / f"{number}.lock").open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            continue
        return str(number), file
    raise AssertionError  # count() never ends


def _make_room(path: Path, size_bytes: int) -> None:
    """Give a file all the space it will need: a full disk would kill who writes to its mapping."""
    with path.open("ab") as file:
        os.posix_fallocate(file.fileno(), 0, size_bytes)
