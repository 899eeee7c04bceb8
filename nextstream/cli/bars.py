"""Progress bars; on stderr, so that stdout is the result, and only where that is a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from nextstream.cli.shell import err


class Rung(Protocol):
    """How far one rung is, in frames."""

    @property
    def height(self) -> int: ...  # noqa: D102  its name says it
    @property
    def frames_done(self) -> int: ...  # noqa: D102
    @property
    def frames_planned(self) -> int: ...  # noqa: D102


class Encode(Protocol):
    """How far an encode is, as a server tells it or as it is measured here."""

    @property
    def frames_done(self) -> int: ...  # noqa: D102  its name says it
    @property
    def frames_planned(self) -> int: ...  # noqa: D102
    @property
    def fps(self) -> float | None: ...  # noqa: D102
    @property
    def eta_s(self) -> float | None: ...  # noqa: D102
    @property
    def rungs(self) -> Sequence[Rung]: ...  # noqa: D102


@contextmanager
def encoding(before: str = "probing") -> Iterator[Callable[[Encode | None], None]]:
    """Show an encode as long as the block lasts; `before` is what happens until there is a plan."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[numbers]}"))
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(before, total=None, numbers="")
        yield lambda encode: _draw(bar, task, encode)


def _draw(bar: Progress, task: TaskID, encode: Encode | None) -> None:
    if encode is None:
        return
    percents = [f"{r.height}p {100 * r.frames_done // max(r.frames_planned, 1)}%" for r in encode.rungs]
    eta = f"{encode.fps:.0f} fps, {encode.eta_s:.0f} s left" if encode.fps and encode.eta_s else ""
    bar.update(
        task,
        description=" ".join(percents) or "sound",
        total=encode.frames_planned,
        completed=encode.frames_done,
        numbers=f"{encode.frames_done}/{encode.frames_planned} frames {eta}",
    )


@contextmanager
def moving(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far a file is on its way, in bytes, as long as the block lasts."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(what.replace("[", "\\["), total=None)

        def show(done_bytes: int, size_bytes: int) -> None:
            bar.update(task, completed=done_bytes, total=size_bytes)

        yield show
