"""bp: the loop that `bp train` runs, without a run directory."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from backprop_cli import build, load_config
from backprop_cli.data.dataset import Split
from backprop_cli.training.loop import Loop
from backprop_cli.training.passes import evaluate
from backprop_cli.training.threads import limited
from benchmarks.task import Data, Task
from benchmarks.workloads import XOR_EPOCHS, Workload


def config(workload: Workload, data: Path, kernels: str, raw: bool) -> dict[str, Any]:
    """The YAML that describes a workload."""
    xor = workload.family == "xor"
    return {
        "name": "benchmark",
        "dataset": {
            "source": "files",
            "path": str(data),
            **({"transforms": [{"type": "scale"}]} if raw else {}),
        },
        "architecture": workload.architecture,
        "loss": "binary_crossentropy" if xor else "sparse_categorical_crossentropy",
        "optimizer": {"type": "sgd", "learning_rate": 0.5} if xor else {"type": "adam", "learning_rate": 1e-3},
        "trainer": {
            "epochs": 1_000_000,
            "batch_size": "full" if xor else workload.batch,
            "kernels": kernels,
            "checkpoint": {"every_epochs": 1_000_000},
        },
    }


class BpTask(Task):
    """Training through build, batches and loop."""

    def __init__(self, workload: Workload, data: Data, kernels: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "benchmark.yaml"
            path.write_text(yaml.safe_dump(config(workload, data.path, kernels, data.raw)))
            self.prepared = build.prepare(load_config(path))
        splits = self.prepared.dataset.splits
        splits["train"] = Split(splits["train"].x[: len(data.x)], splits["train"].y[: len(data.x)])
        splits["test"] = Split(splits["test"].x[: len(data.x_test)], splits["test"].y[: len(data.x_test)])
        tested = self.prepared.batches("test").batch_size
        self.prepared.network.reserve(max(workload.batch, tested))  # at once, as a training does for its validation
        self.loop: Loop
        self.loop, best = build.training(self.prepared)
        self.loop.callbacks.remove(best)
        self.epochs = XOR_EPOCHS if workload.family == "xor" else 1
        self._threads = ExitStack()  # once for all rounds, as a training does it once
        self._threads.enter_context(limited(self.prepared.network, self.loop.train.batch_size))
        self.about_kernels = kernels

    def round(self) -> None:
        if self.epochs == 1:
            self.loop.run_epoch()
            return
        self.loop.options.epochs = self.loop.epoch - 1 + self.epochs
        self.loop.run()

    def accuracy(self) -> float:
        from backprop_cli.registry import make

        metric = make("metric", "accuracy")
        metric.reading = self.prepared.reading
        measured = evaluate(self.prepared.network, self.prepared.batches("test").epoch(0), [metric])
        return measured["accuracy"]

    @property
    def about(self) -> str:
        return f"{self.about_kernels} kernels, NumPy {np.__version__}"


def prepare(workload: Workload, data: Data, variant: str) -> Task:
    return BpTask(workload, data, variant)
