"""A storage whose operations are timed, and whose errors are counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, cast

from nextstream.domain.metrics import BACKEND_ERRORS, STORAGE_SECONDS
from nextstream.errors import ObjectNotFound, StorageError
from nextstream.ports import Metrics, Multipart, Storage

LAZY = frozenset({"stream", "list", "append"})  # they give their results bit by bit
ASIDE = frozenset({"locate"})  # makes no request


def measured(storage: Storage, metrics: Metrics) -> Storage:
    """Give a storage that does the same, and is measured."""
    return cast(Storage, _Measured(storage, metrics))


class _Measured:
    def __init__(self, storage: Storage, metrics: Metrics) -> None:
        self._storage = storage
        self._metrics = metrics

    @property
    def multipart(self) -> Multipart:
        """Give the storage's own, with the same methods and no others: some can presign."""
        parts = self._storage.multipart
        names = [name for name in dir(parts) if not name.startswith("_")]
        methods = {name: _timed(getattr(parts, name), name, self._metrics) for name in names}
        kept = {name: staticmethod(method) for name, method in methods.items() if callable(method)}
        return cast(Multipart, type("MeasuredMultipart", (), kept)())

    def __getattr__(self, name: str) -> Any:
        return _timed(getattr(self._storage, name), name, self._metrics)


def _timed(method: Any, name: str, metrics: Metrics) -> Any:
    if name in ASIDE or not callable(method):
        return method
    return _timed_lazily(method, name, metrics) if name in LAZY else _timed_whole(method, name, metrics)


def _timed_whole(method: Callable[..., Any], name: str, metrics: Metrics) -> Callable[..., Any]:
    @wraps(method)
    def call(*args: Any, **options: Any) -> Any:
        began_at = time.monotonic()
        with _counting(metrics):
            found = method(*args, **options)
        metrics.observe(STORAGE_SECONDS, time.monotonic() - began_at, operation=name)
        return found

    return call


def _timed_lazily(method: Callable[..., Any], name: str, metrics: Metrics) -> Callable[..., Any]:
    """Time up to the first result: the others come as fast as they are taken."""

    @wraps(method)
    def call(*args: Any, **options: Any) -> Iterator[Any]:
        began_at, waits = time.monotonic(), True
        with _counting(metrics):
            for each in method(*args, **options):
                if waits:
                    metrics.observe(STORAGE_SECONDS, time.monotonic() - began_at, operation=name)
                    waits = False
                yield each

    return call


@contextmanager
def _counting(metrics: Metrics) -> Iterator[None]:
    try:
        yield
    except ObjectNotFound:  # an answer like any other
        raise
    except StorageError as error:
        metrics.count(BACKEND_ERRORS, backend="storage", code=error.code)
        raise
