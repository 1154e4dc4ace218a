"""What shuffled batches cost: a training step of the MNIST MLP with and without drawing its batch.

    python benchmarks/batches.py [FILE.npy] [--kernels numpy|compiled]

FILE holds float32 rows (N, 784); without it, one of 1 GB is written to a temporary folder. Each
figure is the best of several short turns, so that a busy machine shows least. `from the disk` drops the
file from the page cache before each turn, and says beside it what the disk alone gives when it is asked for
the same blocks, one after the other.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from backprop_cli import registry
from backprop_cli.data.batches import Batches
from backprop_cli.data.dataset import Split
from backprop_cli.engine.graph import Network
from backprop_cli.model.expand import Expander

STEPS, TURNS, BATCH = 300, 8, 128
BLOCK = 1 << 18
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


def forget(path: Path) -> None:
    """Drop a file from the page cache."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def disk(path: Path) -> float:
    """Microseconds that a batch takes to read in blocks in random order, with nothing else to do."""
    forget(path)
    blocks = STEPS * BATCH * 784 * 4 // BLOCK
    places = np.random.default_rng(0).permutation(path.stat().st_size // BLOCK)[:blocks].tolist()
    with path.open("rb", buffering=0) as file:
        began = time.perf_counter()
        for place in places:
            os.pread(file.fileno(), BLOCK, place * BLOCK)
        return (time.perf_counter() - began) / STEPS * 1e6


def microseconds(step: Callable[[Any, Any], None], batches: Iterator[Any]) -> float:
    step(*next(batches))
    began = time.perf_counter()
    for x, y in itertools.islice(batches, STEPS):
        step(x, y)
    return (time.perf_counter() - began) / STEPS * 1e6


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--kernels", choices=["numpy", "compiled"], default="numpy")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        path = given.file or written(folder)
        rows = np.load(path, mmap_mode="r")
        labels = np.arange(len(rows)) % 10
        memory = np.array(rows[:60_000])
        expander = Expander((784,))
        expander.expand(registry.make("layer", ARCHITECTURE))
        loss = registry.make("loss", "sparse_categorical_crossentropy")
        network = Network(expander.nodes, (784,), loss, seed=0, dtype="float32", kernels=given.kernels)
        network.reserve(BATCH)
        adam = registry.make("optimizer", "adam")
        adam.bind(network.store, 10**6, 10**3, network.kernels)

        def step(x: Any, y: Any) -> None:
            network.loss(network.forward(x, training=True, copy=False), y)
            network.backward()
            adam.step()

        def drawn(x: Any, **options: Any) -> Iterator[Any]:
            where = {"kernels": network.kernels, "into": network.input_buffer}
            return Batches(Split(x, labels[: len(x)]), BATCH, **where, **options).epoch(0)

        def from_cache() -> Iterator[Any]:
            for _ in itertools.islice(drawn(rows), STEPS + 2):
                pass
            return drawn(rows)

        def from_disk() -> Iterator[Any]:
            forget(path)
            return drawn(rows)

        pixels = (memory * 255).astype(np.uint8)
        scale = [registry.make("transform", "scale")]
        sources = {
            "no batch drawn": lambda: itertools.repeat((memory[:BATCH].copy(), labels[:BATCH])),
            "bytes in memory, scaled": lambda: drawn(pixels, transforms=scale),
            "floats in memory": lambda: drawn(memory),
            f"file of {rows.nbytes / 2**30:.1f} GiB, in the cache": from_cache,
            "the same, from the disk": from_disk,
        }
        best = dict.fromkeys(sources, float("inf"))
        alone = float("inf")
        for _ in range(TURNS):
            for name, make in sources.items():
                best[name] = min(best[name], microseconds(step, make()))
            alone = min(alone, disk(path))
        base = best["no batch drawn"]
        for name, figure in best.items():
            print(f"{name:27} {figure:6.0f} µs a step  {100 * (figure / base - 1):+5.1f} %")
        print(f"{'the disk alone':27} {alone:6.0f} µs a batch")


if __name__ == "__main__":
    main()
