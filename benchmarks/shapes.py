"""Networks that nobody chose, by numbers of threads: python -m benchmarks.shapes [SEED].

Draws MLPs on MNIST of other widths, depths and batches than those of the benchmark, and trains each, and some of the
benchmark's own networks, with compiled kernels on one thread, two, four, … up to all processors, and with JAX where it
can, in turns. Prints a table in Markdown with its date and load.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from backprop_cli.engine.kernels import described
from benchmarks.driver import STEADY, Worker, missing
from benchmarks.workloads import named, save_data

DRAWN, ROUNDS = 10, 5
OTHERS = ("cnn", "lstm", "gru", "transformer")
PROCESSORS = os.cpu_count() or 1
THREADS = [2**power for power in range(PROCESSORS.bit_length()) if 2**power < PROCESSORS] + [PROCESSORS]


def drawn(seed: int) -> Iterator[str]:
    """Names of MLPs: one to four layers of 16 to 1,024 units, batches of 8 to 512, evenly on a logarithmic scale."""
    rng = np.random.default_rng(seed)
    for _ in range(DRAWN):
        units = 2 ** rng.uniform(4, 10, rng.integers(1, 5))
        batch = 2 ** rng.uniform(3, 9)
        yield f"mlp {'-'.join(str(int(number)) for number in units)} batch {int(batch)}"


def row(name: str) -> str:
    """A row of the table: microseconds of a step on so many threads, then of JAX, and JAX over the best of bp."""
    workload = named(name)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.npz"
        save_data(workload.data, data)
        workers = [Worker("bp-compiled", name, data, OMP_NUM_THREADS=str(threads)) for threads in THREADS]
        if "jax" in workload.peers and not missing("jax"):
            workers.append(Worker("jax", name, data))
        for worker in workers:
            worker.ready()
            for _ in range(-(-STEADY // workload.steps)):
                worker.round(timed=False)
        for _ in range(ROUNDS):
            for worker in workers:
                worker.round()
        for worker in workers:
            worker.close()
    ours, theirs = workers[: len(THREADS)], workers[len(THREADS) :]
    best = min(ours, key=lambda worker: statistics.median(worker.seconds))
    cells = [f"{1e6 * statistics.median(worker.seconds) / workload.steps:,.0f}" for worker in workers]
    ratios = [a / b for each in theirs for a, b in zip(each.seconds, best.seconds, strict=True)]
    cells += [f"{statistics.median(ratios):.2f}"] if ratios else ["", ""]
    return f"| {workload.title} | " + " | ".join(cells) + " |"


def main() -> None:
    seed, before = int(sys.argv[1]) if len(sys.argv) > 1 else 0, os.getloadavg()[0]
    heads = ["work", *(f"{threads} thread{'s' * (threads > 1)}" for threads in THREADS), "JAX", "JAX ÷ bp"]
    print("| " + " | ".join(heads) + " |\n|---|" + "---:|" * (len(heads) - 1))
    for name in (*drawn(seed), *OTHERS):
        print(row(name), flush=True)
    now = datetime.now(UTC).date()
    print(f"\nµs a step, seed {seed}, {now}, {described()}; load {before:.1f} to {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
