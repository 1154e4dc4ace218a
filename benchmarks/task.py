"""What a peer's process does, and how the driver talks to it."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.workloads import Workload, named

Array = Any


@dataclass
class Data:
    """The arrays of a workload, cut to its size: raw, and as floats in 0 … 1."""

    x: Array
    y: Array
    x_test: Array
    y_test: Array
    path: Path
    raw: bool = field(init=False)

    @classmethod
    def load(cls, workload: Workload, path: Path) -> Data:
        with np.load(path) as file:
            x, y, x_test, y_test = (file[name] for name in ("x_train", "y_train", "x_test", "y_test"))
        return cls(x[: workload.samples], y[: workload.samples], x_test[:5_000], y_test[:5_000], path)

    def __post_init__(self) -> None:
        self.raw = self.x.dtype == np.uint8

    def floats(self, x: Array) -> Array:
        """Bytes as float32 from 0 to 1; anything else as it is."""
        return x.astype(np.float32) / np.float32(255) if self.raw else x


class Task:
    """A training that can be run round by round."""

    def round(self) -> None:
        """One epoch."""
        raise NotImplementedError  # every peer has its own

    def accuracy(self) -> float:
        """Share of right answers on the held-out examples."""
        raise NotImplementedError  # every peer has its own

    @property
    def about(self) -> str:
        """Version and settings, for the report."""
        return ""


def serve(peer: str, name: str, path: Path) -> None:
    """Prepare, then do as told on stdin: `round` prints its seconds, `accuracy` a number."""
    import importlib
    import json
    import os

    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a framework prints goes to stderr
    workload = named(name)
    module, _, variant = peer.partition("-")
    task = importlib.import_module(f"benchmarks.peers.{module}_peer").prepare(
        workload, Data.load(workload, path), variant
    )

    def say(value: Any) -> None:
        print(json.dumps(value), file=answer, flush=True)

    say(task.about)
    for line in sys.stdin:
        if line.strip() == "round":
            began, used = time.perf_counter(), time.process_time()
            task.round()
            say([time.perf_counter() - began, time.process_time() - used])
        else:
            say(task.accuracy())


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
