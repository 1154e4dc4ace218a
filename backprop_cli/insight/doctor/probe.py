"""A few steps of training in memory, watched from inside: nothing is written.

The training is the config's own, from its first step: data order, dropout and first weights are those that
`bp train` would have, so that what is seen here is what would happen there.
"""

from __future__ import annotations

import math
import time
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backprop_cli.config import Config
from backprop_cli.data.batches import Batches
from backprop_cli.engine.arrays import Array
from backprop_cli.engine.graph import Network
from backprop_cli.engine.initializers.base import fans
from backprop_cli.errors import DivergedError
from backprop_cli.model import build
from backprop_cli.training.callbacks.diagnostics import Diagnostics
from backprop_cli.training.loop import Callback, Loop, Row
from backprop_cli.training.measures import Layers, outputs
from backprop_cli.training.passes import evaluate
from backprop_cli.training.threads import limited

EXAMPLES = 256  # of the training split that dead units and saturation are counted over
EVERY = 10  # steps between two looks
LEAST = 20  # steps of a probe, however much work they are


@dataclass
class Observed:
    """What is known of one training: of a probe, or of a run that is over."""

    config: Config
    network: Network
    rows: list[dict[str, Any]]  # of diagnostics, in the order of their steps
    losses: list[float]  # the training loss, step by step or epoch by epoch
    epochs: list[Row]  # of metrics
    first: Layers  # outputs of the untrained network over EXAMPLES rows
    last: Layers  # of the trained one
    x: Array  # those rows, as the network sees them
    y: Array
    kernels: dict[str, float]  # see kernel_scales, before training
    chance: float | None  # the loss of the best constant answer
    steps: int
    complete: bool = False  # all the epochs that the config asks for
    error: str | None = None  # why training broke off
    nonfinite: dict[str, Any] = field(default_factory=dict)

    @property
    def start(self) -> float:
        """The loss of the first step."""
        return self.losses[0] if self.losses else math.nan

    @property
    def end(self) -> float:
        """The mean training loss of the last quarter; infinite if training broke off."""
        if self.error is not None or not self.losses:
            return math.inf
        return float(np.mean(self.losses[-max(1, len(self.losses) // 4) :]))

    @property
    def stuck(self) -> bool:
        """Whether the training loss has not fallen below that of the best constant answer."""
        known = [loss for loss in (self.start, self.chance) if loss is not None]
        return not self.end < 0.95 * min(known, default=math.inf)

    @property
    def score(self) -> float:
        """What to compare two trainings by: the validation loss at the end, else the training loss."""
        held = [row["validation/loss"] for row in self.epochs if row.get("validation/loss") is not None]
        if self.error is not None or not held:
            return self.end
        stopping = self.config.trainer.early_stopping
        if stopping is not None and stopping.restore_best:
            return float(min(held))
        return float(np.median(held[-max(1, len(held) // 4) :]))

    def series(self, key: str) -> dict[str, list[float]]:
        """A number of diagnostics over time, by layer, for the layers that have it. What is not finite is left out."""
        columns: dict[str, list[float]] = {}
        for row in self.rows:
            for name, numbers in row["layers"].items():
                value = numbers.get(key)
                if value is not None and math.isfinite(value):
                    columns.setdefault(name, []).append(value)
        return columns

    def typical(self, key: str) -> dict[str, float]:
        """The median over time, by layer."""
        return {name: float(np.median(values)) for name, values in self.series(key).items()}


def probe(cfg: Config, steps: int, seconds: float = math.inf, *, work: float = math.inf, **options: Any) -> Observed:
    """Train a config for so many steps, seconds or floating-point operations, whichever is less.

    Steps and operations are the same on every machine, however busy; seconds are not. Raises ConfigError, DataError.
    """
    if cfg.trainer.kernels == "auto":
        options.setdefault("kernels", "numpy")  # the same verdict where there is a compiler and where there is none
    prepared = build.prepare(cfg, observe=True, **options)
    network = prepared.network
    steps = min(steps, max(LEAST, int(min(work / _operations(prepared), steps))))
    x, y = examples(prepared)
    rows: list[dict[str, Any]] = []
    watch = _Watch(steps, time.monotonic() + seconds)
    loop, _ = build.training(prepared, [Diagnostics(rows.append, EVERY), watch])
    error = None
    with limited(network, loop.train.batch_size):
        first, kernels = look(network, x), kernel_scales(network, cfg.parameters)
        try:
            loop.run()
        except _Enough:
            pass
        except DivergedError as caught:
            error = str(caught)
        if error is None and not watch.epochs and "validation" in prepared.dataset.splits:
            batches = prepared.batches("validation")
            measured = evaluate(
                network, batches.epoch(0), prepared.config.trainer.metrics, weight=lambda: batches.weight
            )
            train = float(np.mean(watch.losses[-max(1, len(watch.losses) // 4) :]))
            row = {"epoch": loop.epoch, "step": loop.step, "train/loss": train}
            watch.epochs.append(row | {f"validation/{name}": value for name, value in measured.items()})
        last = look(network, x)
    return Observed(
        cfg,
        network,
        [row for row in rows if "nonfinite" not in row],
        watch.losses,
        watch.epochs,
        first,
        last,
        x,
        y,
        kernels,
        cfg.loss.chance(y),
        loop.step,
        loop.finished,
        error,
        next((row["nonfinite"] for row in rows if "nonfinite" in row), {}),
    )


def _operations(prepared: build.Prepared) -> float:
    """Floating-point operations of a training step, about: the backward pass takes two forward passes."""
    size = prepared.config.trainer.batch_size
    rows = len(prepared.dataset.splits["train"]) if size == "full" else size
    return max(1.0, 3.0 * rows * sum(node.layer.flops(*node.input_shapes) for node in prepared.network.nodes))


def examples(prepared: build.Prepared) -> tuple[Array, Array]:
    """The first rows of the training split in a shuffled order, without augmentation."""
    data = prepared.dataset.splits.get("train") or next(iter(prepared.dataset.splits.values()))
    batches = Batches(
        data,
        min(EXAMPLES, len(data)),
        transforms=prepared.transforms,
        seed=prepared.config.seed,
        dtype=prepared.network.dtype,
        augment=False,
        prefetch=False,
    )
    x, y = next(iter(batches.epoch(0)))
    return x.copy(), y.copy()


def look(network: Network, x: Array) -> Layers:
    """Outputs of every layer over x as in training; the network's state and generator stay as they were."""
    with _undisturbed(network), np.errstate(all="ignore"):
        network.forward(x, training=True)
        return outputs(network)


def kernel_scales(network: Network, given: Container[str] = ()) -> dict[str, float]:
    """std · √fan_in of the kernel that each layer's `kernel_initializer` made: near 1, or √2 before a ReLU, where
    signals keep their size. 0 where every unit has the same weights: they get the same gradient and stay the same.
    """
    scales = {}
    for node in network.nodes:
        for name, w in network.parameters.items():
            ours = name.startswith(f"{node.name}.W") and hasattr(node.layer, "kernel_initializer")
            if ours and w.ndim >= 2 and name not in given and node.layer.shared is None:
                alike = w.shape[-1] > 1 and bool((w == w[..., :1]).all())
                scales[node.name] = 0.0 if alike else float(w.std()) * math.sqrt(fans(w.shape)[0])
    return scales


@contextmanager
def _undisturbed(network: Network) -> Iterator[None]:
    state, rng = network.store.state.copy(), network.rng.bit_generator.state
    try:
        yield
    finally:
        network.store.state[...] = state
        network.rng.bit_generator.state = rng


class _Enough(Exception):  # noqa: N818  # the end of a probe is no error
    pass


class _Watch(Callback):
    """Keeps losses and rows, and ends the probe."""

    def __init__(self, steps: int, deadline: float) -> None:
        self.steps, self.deadline = steps, deadline
        self.losses: list[float] = []
        self.epochs: list[Row] = []

    def step(self, loop: Loop, loss: float) -> None:
        self.losses.append(loss)
        over = loop.step >= self.steps or time.monotonic() > self.deadline
        if over and loop.batch < loop.train.steps_per_epoch:
            raise _Enough

    def epoch(self, loop: Loop, row: Row) -> None:
        self.epochs.append(dict(row))
        if not loop.finished and (loop.step >= self.steps or time.monotonic() > self.deadline):
            raise _Enough
