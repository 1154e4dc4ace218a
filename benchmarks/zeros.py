"""What leaving out zeros saves: python -m benchmarks.zeros.

Times the two products of a first layer, x W and its gradient xᵀ δ, by compiled kernels, for inputs with many zeros and
for dense ones of the same size, in turns. Prints a table in Markdown with its date and load.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np

from backprop_cli.engine.kernels import described, load
from benchmarks.workloads import named, save_data

ROUNDS, BATCH, INPUTS, UNITS = 60, 128, 784, 128
Array = Any


def pictures(rng: Any) -> Array:
    """MNIST's pictures."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.npz"
        save_data(named("mlp-128").data, path)
        with np.load(path) as file:
            x = file["x_train"]
    return x[rng.permutation(len(x))[:BATCH]].reshape(BATCH, -1).astype(np.float32) / 255


def one_hot(rng: Any) -> Array:
    """28 one-hot columns of 28 categories each."""
    return np.eye(28, dtype=np.float32)[rng.integers(0, 28, (BATCH, 28))].reshape(BATCH, -1)


def words(rng: Any) -> Array:
    """Counts of 784 words in texts of 30."""
    shares = 1 / np.arange(1, INPUTS + 1)
    return rng.multinomial(30, shares / shares.sum(), BATCH).astype(np.float32)


def activations(rng: Any) -> Array:
    """Half zeros, at random, as ReLU leaves."""
    return np.maximum(rng.standard_normal((BATCH, INPUTS), np.float32), 0)


def seconds(run: Callable[[], None]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def main() -> None:
    rng, before, matmul = np.random.default_rng(0), os.getloadavg()[0], load("compiled").matmul
    dense = rng.standard_normal((BATCH, INPUTS), np.float32)
    W, delta = (rng.standard_normal((size, UNITS), np.float32) for size in (INPUTS, BATCH))
    z, dW = np.empty((BATCH, UNITS), np.float32), np.empty((INPUTS, UNITS), np.float32)
    print("| input | not 0 | x W: time ÷ dense | xᵀ δ: time ÷ dense |\n|---|---:|---:|---:|")
    for make in (pictures, one_hot, words, activations):
        x, ratios = make(rng), list[tuple[float, float]]()
        for _ in range(ROUNDS):
            forward = seconds(lambda x=x: matmul(x, W, z)) / seconds(lambda: matmul(dense, W, z))
            back = seconds(lambda x=x: matmul(x.T, delta, dW)) / seconds(lambda: matmul(dense.T, delta, dW))
            ratios.append((forward, back))
        forward, back = (statistics.median(column) for column in zip(*ratios, strict=True))
        title = (make.__doc__ or "").rstrip(".")
        print(f"| {title} | {np.count_nonzero(x) / x.size:.0%} | {forward:.2f} | {back:.2f} |")
    about = f"batch {BATCH}, {INPUTS} inputs, {UNITS} units; {datetime.now(UTC).date()}, {described()}"
    print(f"\n{about}; load {before:.1f} to {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
