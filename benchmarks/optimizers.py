"""Microseconds of one update, by optimizer, size and kernels: the least of several rounds, as machines are seldom idle.

python benchmarks/optimizers.py [optimizer …]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from backprop_cli.engine import kernels
from backprop_cli.engine.initializers.normal import Normal
from backprop_cli.engine.parameters import Parameter, ParameterStore
from backprop_cli.registry import make, names

SIZES = {"xor, 17": [(2, 4), (4,), (4, 1), (1,)], "mnist, 101770": [(784, 128), (128,), (128, 10), (10,)]}
ROUNDS, SECONDS = 15, 0.02


def store_of(shapes: list[tuple[int, ...]]) -> ParameterStore:
    entries = [Parameter(f"{i}", shape, Normal(), len(shape) > 1, False) for i, shape in enumerate(shapes)]
    store = ParameterStore(entries, {}, "float32")
    rng = np.random.default_rng(0)
    store.initialize(rng, list(store.entries))
    store.gradients[...] = rng.normal(size=store.gradients.size)
    return store


def least(step: Callable[[], object]) -> float:
    """Seconds of one call, in the best of the rounds."""
    step()
    start = time.perf_counter()
    step()
    calls = max(1, int(SECONDS / (time.perf_counter() - start)))
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(calls):
            step()
        best = min(best, (time.perf_counter() - start) / calls)
    return best


def main() -> None:
    print(f"{'optimizer':12}{'parameters':16}{'numpy':>10}{'compiled':>10}   µs per update")
    for name in sys.argv[1:] or names("optimizer"):
        for label, shapes in SIZES.items():
            found = []
            for which in ("numpy", "compiled"):
                optimizer = make("optimizer", name)
                optimizer.bind(store_of(shapes), 1_000_000, kernels=kernels.load(which))
                found.append(least(optimizer.step) * 1e6)
            print(f"{name:12}{label:16}{found[0]:10.1f}{found[1]:10.1f}")


if __name__ == "__main__":
    main()
