"""What shuffled batches cost: a training step of the MNIST MLP with and without drawing its batch.

    python benchmarks/batches.py [FILE.npy]

FILE holds float32 rows (N, 784); without it, one of 1 GB is written to a temporary folder. Each
figure is the best of several short turns, so that a busy machine shows least.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from backprop_cli import registry
from backprop_cli.data.batches import Batches
from backprop_cli.data.dataset import Split
from backprop_cli.engine.graph import Network
from backprop_cli.expand import Expander

STEPS, TURNS, BATCH = 300, 8, 128
ARCHITECTURE = [
    {"type": "dense", "units": 128, "activation": "relu"},
    {"type": "dense", "units": 10, "activation": "softmax"},
]


def written(folder: str) -> Path:
    path = Path(folder) / "rows.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (340_000, 784)})
        for _ in range(340):
            file.write(np.random.default_rng(0).random((1000, 784), np.float32).tobytes())
    return path


def microseconds(step: Any, batches: Iterator[Any]) -> float:
    step(*next(batches))
    began = time.perf_counter()
    for x, y in itertools.islice(batches, STEPS):
        step(x, y)
    return (time.perf_counter() - began) / STEPS * 1e6


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        rows = np.load(Path(sys.argv[1]) if sys.argv[1:] else written(folder), mmap_mode="r")
        labels = np.arange(len(rows)) % 10
        memory = np.array(rows[:60_000])
        expander = Expander((784,))
        expander.expand(registry.make("layer", ARCHITECTURE))
        loss = registry.make("loss", "sparse_categorical_crossentropy")
        network = Network(expander.nodes, (784,), loss, seed=0, dtype="float32")
        network.reserve(BATCH)
        adam = registry.make("optimizer", "adam")
        adam.bind(network.store, 10**6, 10**3, network.kernels)

        def step(x: Any, y: Any) -> None:
            network.loss(network.forward(x, training=True), y)
            network.backward()
            adam.step()

        images = Batches(
            Split((memory * 255).astype(np.uint8), labels[:60_000]),
            BATCH,
            transforms=[registry.make("transform", "scale")],
        )
        sources = {
            "no batch drawn": lambda: itertools.repeat((memory[:BATCH].copy(), labels[:BATCH])),
            "bytes in memory, scaled": lambda: images.epoch(0),
            "floats in memory": lambda: Batches(Split(memory, labels[:60_000]), BATCH).epoch(0),
            f"file of {rows.nbytes / 2**30:.1f} GiB": lambda: Batches(Split(rows, labels), BATCH).epoch(0),
        }
        best = dict.fromkeys(sources, float("inf"))
        for _ in range(TURNS):
            for name, make in sources.items():
                best[name] = min(best[name], microseconds(step, iter(make())))
        base = best["no batch drawn"]
        for name, figure in best.items():
            print(f"{name:26} {figure:6.0f} µs a step  {100 * (figure / base - 1):+5.1f} %")


if __name__ == "__main__":
    main()
