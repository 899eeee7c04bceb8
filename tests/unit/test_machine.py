"""What a container may use, as its control group says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nextstream import machine
from nextstream.settings import Settings

ALL = len(os.sched_getaffinity(0))


def group(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return folder


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", ALL), ("100000 100000", 1), ("50000 100000", 1), ("9900000 100000", ALL)],
)
def test_cores_are_those_whose_time_the_group_has(tmp_path: Path, quota: str, cores: int) -> None:
    assert machine.cores(group(tmp_path, cpu_DOT_max=quota)) == cores


def test_an_older_kernels_groups_are_read_too(tmp_path: Path) -> None:
    old = group(
        tmp_path,
        cpu__cpu_DOT_cfs_quota_us="100000",
        cpu__cpu_DOT_cfs_period_us="100000",
        memory__memory_DOT_limit_in_bytes="1000",
    )
    assert (machine.cores(old), machine.memory_bytes(old)) == (1, 1000)


def test_memory_is_the_groups_or_all_there_is(tmp_path: Path) -> None:
    everything = machine.memory_bytes(tmp_path)
    assert everything > 10**8
    assert machine.memory_bytes(group(tmp_path, memory_DOT_max="max")) == everything
    assert machine.memory_bytes(group(tmp_path, memory_DOT_max="536870912")) == 536870912


def test_a_worker_has_no_more_slots_than_its_memory_holds_pieces() -> None:
    assert Settings(slot_memory_bytes=10**15).slots == 1
    assert Settings(slot_memory_bytes=1).slots == machine.cores()
    assert Settings(slot_memory_bytes=10**15, worker_slots=3).slots == 3
