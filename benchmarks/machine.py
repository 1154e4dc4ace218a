"""What a table of times is worth nothing without."""

from __future__ import annotations

import os
import platform
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("numpy", "torch", "tensorflow", "tensorflow-cpu", "keras", "jax", "scikit-learn")


def describe() -> dict[str, Any]:
    """Processor, cores, memory, system, versions, and how busy the machine was."""
    return {
        "processor": _processor(),
        "date": datetime.now(UTC).date().isoformat(),
        "cpus": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "load_average": [round(load, 2) for load in os.getloadavg()],
    }


class Others:
    """How many processors all processes but `ours` keep busy: `with Others() as others: …`, then `others.busy`."""

    def __init__(self) -> None:
        self.busy = 0.0

    def __enter__(self) -> Others:
        self._before = _all_seconds(), _own_seconds(), time.perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        everybody, own, began = self._before
        seconds = time.perf_counter() - began
        self.busy = max(0.0, (_all_seconds() - everybody) - (_own_seconds() - own)) / seconds


QUIET = 0.15  # of a processor that others may use; the system itself needs some


def _all_seconds() -> float:
    """Processor seconds that anything but idling has taken since the start, what a host took away included."""
    try:
        fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    except OSError:
        return 0.0
    user, nice, system, _, _, interrupts, soft, stolen = map(int, fields)
    return (user + nice + system + interrupts + soft + stolen) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    """Of this process and those it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
