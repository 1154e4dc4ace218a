"""A run as pictures and reports need it: rows, weights, answers, one step; each loaded when first asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli.commands.trained import config_of, load_run
from backprop_cli.data.batches import Batches
from backprop_cli.data.dataset import Split
from backprop_cli.data.shares import usual
from backprop_cli.engine.arrays import Array
from backprop_cli.engine.graph import Network
from backprop_cli.engine.metrics.base import Metric, counted
from backprop_cli.engine.metrics.report import MAX_MATRIX, confusion_matrix
from backprop_cli.errors import BpError, UsageError
from backprop_cli.model import build
from backprop_cli.model.build import Prepared
from backprop_cli.runs import metrics_log
from backprop_cli.runs.contents import DIAGNOSIS
from backprop_cli.runs.directory import DIAGNOSTICS, SWEEP, RunDirectory
from backprop_cli.training.passes import outputs
from backprop_cli.training.threads import limited

PROBE = 256  # examples of a probe batch


@dataclass(frozen=True)
class SplitAnswers:
    """What a network makes of a split: outputs (N, …), and class ids predicted and true (flat)."""

    split: str
    y: Array
    predicted: Array
    truth: Array
    classes: list[str]

    @property
    def matrix(self) -> Array:
        """C[i, j] = how many of true class i were predicted to be j.  (K, K) Raises UsageError for too many classes."""
        if len(self.classes) > MAX_MATRIX:
            raise UsageError(f"no confusion matrix of {len(self.classes):,} classes; expected at most {MAX_MATRIX:,}")
        return confusion_matrix(self.predicted, self.truth, len(self.classes))

    @property
    def accuracy(self) -> float:
        """The share of right answers, from 0 to 1."""
        return float((self.predicted == self.truth).mean())


@dataclass(frozen=True)
class Probe:
    """One forward and backward pass, nothing updated: y and δ by node, gradients by parameter."""

    x: Array
    target: Array
    output: Array
    loss: float
    values: dict[str, Array]
    deltas: dict[str, Array]
    gradients: dict[str, Array]


def alone(network: Network) -> str | None:
    """What one example alone cannot show, in a sentence; None where it shows everything."""
    for node in network.nodes:
        if node.layer.mixes_examples and len(node.shape) == 1:
            return (
                f"{node.name} normalizes over the batch: one example alone has no statistics, and the running ones "
                "stand in for them here"
            )
    return None


def sweep_of(views: Sequence[View]) -> Path | None:
    """The sweep that all of these runs belong to; None where there is none."""
    folders = {view.run.path.parent for view in views}
    folder = next(iter(folders))
    return folder if len(folders) == 1 and len(views) > 1 and (folder / SWEEP).is_file() else None


class View:
    """One run with one of its checkpoints."""

    def __init__(
        self, run: RunDirectory, checkpoint: str = "best", *, warn: build.Warn | None = None, progress: Any = None
    ) -> None:
        self.run, self.checkpoint = run, checkpoint
        self.label = run.id  # what it is called beside other runs
        self._warn, self._progress = warn, progress

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl."""
        return list(metrics_log.read(self.run.metrics))

    @cached_property
    def diagnostics(self) -> list[dict[str, Any]]:
        """The rows of diagnostics.jsonl: {"epoch", "step", "layers": {name: {"gradient_norm", …}}}; often none."""
        return list(metrics_log.read(self.run.path / DIAGNOSTICS, DIAGNOSIS))

    @cached_property
    def metrics(self) -> list[Metric]:
        """The metrics that the run computed; none where its config can no longer be read."""
        try:
            metrics: list[Metric] = config_of(self.run).trainer.metrics
        except BpError:
            return []
        return metrics

    @cached_property
    def prepared(self) -> Prepared:
        """Data and network, with the checkpoint's weights; no two nodes share memory. Raises CheckpointError,
        DataError, ConfigError, ConsentError."""
        return load_run(
            self.run, self.checkpoint, warn=self._warn, progress=self._progress, observe=True, kernels="numpy"
        )[0]

    @property
    def network(self) -> Network:
        """The network with the checkpoint's weights. Raises what `prepared` does."""
        return self.prepared.network

    def split(self, name: str | None, default: str = "train") -> tuple[str, Split]:
        """A split by name. Raises UsageError for one the data do not have."""
        splits = self.prepared.dataset.splits
        name = (usual(name) or name) if name else (default if default in splits else next(iter(splits)))
        if name not in splits:
            raise UsageError(f"{self.run.id}: the dataset has no split {name!r}; expected one of {', '.join(splits)}")
        return name, splits[name]

    def examples(self, split: str, rows: slice | Array) -> tuple[Array, Array]:
        """(x, y) of some examples of a split as the network gets them: transformed, without augmentation."""
        return next(iter(self._batches(self.rows_of(split, rows)).epoch(0)))

    def rows_of(self, split: str, rows: slice | Array) -> Split:
        """Some examples of a split as the dataset has them."""
        data = self.prepared.dataset.splits[split]
        return Split(data.x[rows], data.y[rows])

    def _batches(self, data: Split, size: int | None = None) -> Batches:
        prepared = self.prepared
        return Batches(
            data,
            size or len(data),
            transforms=prepared.transforms,
            shuffle=False,
            dtype=prepared.network.dtype,
            augment=False,
            prefetch=False,
        )

    def outputs(self, x: Array) -> Array:
        """The network's outputs for raw inputs x (N, …), as the dataset has them, in inference mode."""
        first = next(iter(self.prepared.dataset.splits.values()))
        y = np.broadcast_to(first.y[:1], (len(x), *first.y.shape[1:]))
        return np.concatenate([z for z, _ in outputs(self.network, self._batches(Split(x, y), 256))])

    def targets(self, data: Split) -> Array:
        """The targets of some examples as the network meets them, after the transforms."""
        targets: Array = next(iter(self._batches(data).epoch(0)))[1]
        return targets

    @cached_property
    def _answers(self) -> dict[str, SplitAnswers]:
        return {}

    def answers(self, split: str | None = None) -> SplitAnswers:
        """The answers on a split, by default the one `bp eval` measures. Raises UsageError without classes."""
        name, data = self.split(split, self.prepared.measured_split)
        reading = self.prepared.reading
        if not reading.has_classes:
            why = "its outputs are numbers" if reading.kind == "values" else "each output says yes or no of its own"
            raise UsageError(
                f"{self.run.id}: no classes that exclude each other ({why}), so none can be predicted as another; "
                "try --kind loss, network or activations"
            )
        if name not in self._answers:
            answered, predicted, truth = [], [], []
            for z, target in outputs(self.network, self._batches(data, 256)):
                y, t = counted(z, target, self.network.output_mask)
                answered.append(z)
                predicted.append(reading.ids(y))
                truth.append(reading.truth(t, y).copy())
            y, guessed, true = (np.concatenate(part) for part in (answered, predicted, truth))
            names = reading.class_names(self.network.output_shape[-1])
            self._answers[name] = SplitAnswers(name, y, guessed, true, names)
        return self._answers[name]

    def probe(self, split: str = "train", sample: int | None = None) -> Probe:
        """Forward and backward on a batch of `PROBE` examples, or on one; the same step as `bp trace` shows.

        Raises UsageError for a sample that does not exist.
        """
        split, data = self.split(split)
        if sample is not None and not 0 <= sample < len(data):
            raise UsageError(
                f"{self.run.id}: there is no sample {sample}; the split {split} has the samples 0 to {len(data) - 1}"
            )
        rows = slice(0, PROBE) if sample is None else slice(sample, sample + 1)
        x, target = self.examples(split, rows)
        network = self.network
        states, rng = network.store.state.copy(), network.rng.bit_generator.state
        with limited(network, len(x)):
            loss = network.loss(network.forward(x, training=True, copy=False), target)
            network.backward()
        network.store.state[...] = states
        network.rng.bit_generator.state = rng
        values = {name: value.copy() for name, value in network.outputs.items()}
        values[network.nodes[-1].name] = network.output.copy()
        wanted = {node.name for node in network.nodes if node.needs_gradient}
        deltas = {name: delta.copy() for name, delta in network.deltas.items() if name in wanted}
        gradients = {name: gradient.copy() for name, gradient in network.gradients.items()}
        return Probe(x.copy(), target.copy(), network.output.copy(), loss, values, deltas, gradients)
