"""What a step would take on several machines: what `bp plan` prints."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli.commands.profile import replay_of
from backprop_cli.config import load_config
from backprop_cli.engine.arrays import Array
from backprop_cli.model.build import Prepared, prepare, training
from backprop_cli.training.threads import limited

WARM, STEPS, SECONDS = 3, 60, 1.5
WORTH = 0.1  # of a step that twice as many ranks must save to be worth starting
MESSAGES = 2  # exchanges of a few numbers a step: loss and counted steps; answers for the metrics


def plan_config(
    path: Path, overrides: Sequence[str], *, nodes: int, bandwidth: float, latency: float, **options: Any
) -> dict[str, Any]:
    """Measure steps of a config here, on as many rows as each of 1, 2, 4, … ranks would have, and add what summing
    its gradients takes over links of `bandwidth` bytes a second and `latency` seconds. There are no more ranks than
    rows in a batch. Raises ConfigError, DataError."""
    prepared = prepare(load_config(path, overrides), **options)
    rows = training(prepared)[0].train.batch_size
    network, store = prepared.network, prepared.network.store
    payload = store.trainable * network.dtype.itemsize
    mixing = sum(node.layer.mixes_examples for node in network.nodes)
    answers = network.dtype.itemsize * rows * math.prod(network.output_shape) * bool(prepared.config.trainer.metrics)
    ranks, alone, adding = [], 0.0, _adding(store.gradients[: store.trainable])
    for count in _counts(min(nodes, rows)):
        compute = _step(prepared, -(-rows // count), count == 1)
        small = (MESSAGES + 2 * mixing) * _rounds(count) * latency + (count - 1) / count * answers / bandwidth
        talk = all_reduce(payload, count, bandwidth, latency, adding) + (small if count > 1 else 0.0)
        alone = alone or compute
        ranks.append(
            {
                "ranks": count,
                "rows": -(-rows // count),
                "compute_us": 1e6 * compute,
                "communication_us": 1e6 * talk,
                "step_us": 1e6 * (compute + talk),
                "speedup": alone / (compute + talk),
                "efficiency": alone / (compute + talk) / count,
            }
        )
    result = {"batch_size": rows, "bytes": payload, "bandwidth": bandwidth, "latency": latency}
    return result | {"kernels": network.kernels.which, "ranks": ranks, "worth": worth(ranks)}


def _counts(nodes: int) -> Iterator[int]:
    """1, 2, 4, … and `nodes` itself."""
    count = 1
    while count < nodes:
        yield count
        count *= 2
    yield nodes


def _rounds(count: int) -> int:
    return math.ceil(math.log2(count)) if count > 1 else 0


def all_reduce(size: float, count: int, bandwidth: float, latency: float, adding: float) -> float:
    """Seconds to sum a vector of `size` bytes over `count` ranks: n bytes, p ranks, α latency, β seconds a byte on a
    link, γ seconds a byte to add two vectors, which is `adding` for all n.

    The faster of recursive doubling, ⌈log₂ p⌉ (α + n β + n γ), and Rabenseifner's algorithm,
    2 ⌈log₂ p⌉ α + 2 (p − 1)/p n β + (p − 1)/p n γ, between which MPI chooses by the size of the vector.
    Thakur, Rabenseifner & Gropp 2005, doi:10.1177/1094342005051521
    """
    rounds, share = _rounds(count), (count - 1) / count
    sending = size / bandwidth
    return min(rounds * (latency + sending + adding), 2 * rounds * latency + share * (2 * sending + adding))


def _adding(vector: Array) -> float:
    """Seconds to add two such vectors, at best."""
    other, least = np.ones_like(vector), math.inf
    for _ in range(20):
        began = time.perf_counter()
        np.add(vector, other, out=other)
        least = min(least, time.perf_counter() - began)
    return least


def worth(ranks: Sequence[dict[str, Any]]) -> int:
    """The most ranks up to which each step of the list saves a tenth of the time or more."""
    best = ranks[0]
    for rank in ranks[1:]:
        if rank["step_us"] > (1 - WORTH) * best["step_us"]:
            break
        best = rank
    return int(best["ranks"])


def _step(prepared: Prepared, rows: int, alone: bool) -> float:
    """Seconds of the fastest of some steps with so many rows here; `alone` as one process trains, replay included."""
    options = prepared.config.trainer
    least_rows = max(node.layer.least_rows or 1 for node in prepared.network.nodes)
    before, options.batch_size = options.batch_size, max(rows, least_rows)
    prepared.network.store.summed = not alone  # which decides whether rows of embeddings are updated alone
    try:
        loop, _ = training(prepared)
        with limited(prepared.network, rows):
            replayed = replay_of(training(prepared)[0])["step_us"] if alone else None
            least, steps, began = math.inf, 0, time.perf_counter()
            while steps < WARM or (steps < STEPS and time.perf_counter() - began < SECONDS):
                loop.batch = 0
                for x, y in loop.train.epoch(1):
                    start = time.perf_counter()
                    loop.train_step(x, y)
                    steps += 1
                    if steps > WARM and len(x) == loop.train.batch_size:
                        least = min(least, time.perf_counter() - start)
                    if steps >= STEPS:
                        break
        return min(least, math.inf if replayed is None else replayed / 1e6)
    finally:
        options.batch_size = before
