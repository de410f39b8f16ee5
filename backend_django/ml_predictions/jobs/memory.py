"""How much memory a run uses, and how much it may."""

from __future__ import annotations

import os
from pathlib import Path

from ml_predictions import conf

SHARE = 0.9
CGROUP = Path("/sys/fs/cgroup/memory.max")
"""What the container may use: bytes, or `max`."""


def used(pid: int) -> int | None:
    """Megabytes that a process and those it has started hold (files that they map are not counted); None: not known."""
    own = Path(f"/proc/{pid}")
    try:
        resident, shared = (int(pages) for pages in (own / "statm").read_text().split()[1:3])
        below = [int(child) for task in own.glob("task/*/children") for child in task.read_text().split()]
    except (OSError, ValueError):  # not Linux, or the process has just ended
        return None
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE") // 2**20 + sum(used(child) or 0 for child in below)


def limit() -> int | None:
    """Megabytes that a run may hold: MEMORY_MB, else SHARE of the machine's or its container's; None: not known."""
    chosen: int | None = conf.get("MEMORY_MB")
    if chosen is not None:
        return chosen
    try:
        most = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):  # a system that does not say
        return None
    told = CGROUP.read_text().strip() if CGROUP.is_file() else ""
    return int(SHARE * min(most, int(told) if told.isdigit() else most)) // 2**20
