"""What this process may use of the machine: containers are given less than there is."""

from __future__ import annotations

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def cores(cgroup: Path = CGROUP) -> int:
    """Give the cores: those it may run on, or the time of as many as its control group has."""
    allowed = len(os.sched_getaffinity(0))
    quota, _, period = _read(cgroup / "cpu.max").partition(" ")  # cgroup v2: "max 100000"
    if not quota.isdigit() or not period.isdigit():
        quota, period = (_read(cgroup / "cpu" / f"cpu.cfs_{n}_us") for n in ("quota", "period"))  # v1
    if not quota.isdigit() or not period.isdigit():
        return allowed
    return max(1, min(allowed, int(quota) // int(period)))


def memory_bytes(cgroup: Path = CGROUP) -> int:
    """Give the memory: the machine's, or what its control group may have."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in ("memory.max", "memory/memory.limit_in_bytes"):  # cgroup v2, v1
        limit = _read(cgroup / name)
        if limit.isdigit():
            return min(physical, int(limit))
    return physical


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:  # no such control group
        return ""
