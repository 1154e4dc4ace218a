"""What a step takes that several ranks share, and how much of it is communication.

    python scripts/measure_ranks.py --threads 1        one process, as bp trains
    mpiexec -n 2 python scripts/measure_ranks.py       two ranks
    mpiexec -n 2 python scripts/measure_ranks.py --set trainer.shards=8

Prints the median step, processor time of its computing, communication (waiting for the others included), the least of
each, and whether all ranks end with the same weights. On a machine that others use, processor time and the least
communication compare; the medians hold what the others took. The network is 784-1024-1024-10 at batch 512, unless a
config is given.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path
from typing import Any
from zlib import crc32

import yaml

from backprop_cli.config import load_config
from backprop_cli.engine.ranks import Ranks
from backprop_cli.model.build import prepare, training
from backprop_cli.training.parallel.launch import world
from backprop_cli.training.threads import limited

CONFIG = """
dataset: {source: sample, name: mnist5k, transforms: [{type: scale, by: 0.00392156862745098}]}
architecture:
  - flatten
  - {type: dense, units: 1024, activation: relu}
  - {type: dense, units: 1024, activation: relu}
  - {type: dense, units: 10, activation: softmax}
loss: sparse_categorical_crossentropy
optimizer: {type: adam}
trainer: {batch_size: 512, drop_last: true, metrics: [accuracy]}
"""
WARM = 5


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("config", nargs="?", type=Path)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--threads", type=int)
    given = parser.parse_args()
    ranks = world()
    prepared = prepare(load_config(given.config or yaml.safe_load(CONFIG), given.set))
    loop, _ = training(prepared, ranks=ranks)
    spent = [0.0, 0.0]  # seconds in communication, and of the processor
    for name in ("table", "add", "gather", "first"):
        if ranks.count > 1:
            setattr(ranks, name, timed(getattr(ranks, name), spent))
    steps: list[tuple[float, float, float]] = []
    with limited(prepared.network, loop.rows_at_once, given.threads or ranks.threads):
        while len(steps) < given.steps + WARM:
            loop.batch = 0
            for x, y in loop.train.epoch(1):
                spent[:], began, worked = (0.0, 0.0), time.perf_counter(), time.process_time()
                loop.train_step(x, y)
                steps.append((time.perf_counter() - began, spent[0], time.process_time() - worked - spent[1]))
    report(loop.ranks, steps[WARM:], crc32(prepared.network.store.values.data))


def timed(function: Any, spent: list[float]) -> Any:
    def call(*arguments: Any) -> Any:
        began, worked = time.perf_counter(), time.process_time()
        try:
            return function(*arguments)
        finally:
            spent[0] += time.perf_counter() - began
            spent[1] += time.process_time() - worked

    return call


def report(ranks: Ranks, steps: list[tuple[float, float, float]], weights: int) -> None:
    every = ranks.all(weights)
    if ranks.rank:
        return
    whole, talk, work = ([1e3 * each[i] for each in steps] for i in (0, 1, 2))
    print(
        f"{ranks.count} ranks, {ranks.shards or 'no'} shards: "
        f"step {statistics.median(whole):.1f} ms (least {min(whole):.1f}), "
        f"processor time of computing {statistics.median(work):.1f} ms (least {min(work):.1f}), "
        f"communication {statistics.median(talk):.2f} ms (least {min(talk):.2f}); "
        f"weights {'equal' if len(set(every)) == 1 else 'DIFFER'}; load {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main()
