"""What the code of a lesson looks at: a run's network before and after its training, with its answers and gradients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from backprop_cli.commands.trained import config_of, load_run
from backprop_cli.engine.arrays import Array
from backprop_cli.model.build import Prepared, prepare
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.training.passes import outputs

Runs = Mapping[str, RunDirectory]


def before(run: RunDirectory, *changes: str) -> Prepared:
    """The network with its first weights, and the data; `changes` of the config as `--set` takes them."""
    return prepare(config_of(run, changes), warn=lambda text: None)


def after(run: RunDirectory) -> Prepared:
    """The network with its last weights, and the data."""
    return load_run(run, "last", warn=lambda text: None)[0]


def answers(prepared: Prepared, split: str = "train") -> tuple[Array, Array]:
    """All outputs of a split, and its targets, in order."""
    parts = [(y.copy(), target.copy()) for y, target in outputs(prepared.network, prepared.batches(split))]
    return np.concatenate([y for y, _ in parts]), np.concatenate([target for _, target in parts])


def test_accuracy(run: RunDirectory) -> float:
    """The share of test rows whose largest output is that of their class; targets are class ids or one-hot."""
    y, target = answers(after(run), "test")
    return float((y.argmax(1) == (target if target.ndim == 1 else target.argmax(1))).mean())


@dataclass(frozen=True)
class Pass:
    """One pass forward and back, nothing updated: outputs y and deltas by layer, gradients by parameter."""

    outputs: dict[str, Array]
    deltas: dict[str, Array]
    gradients: dict[str, Array]


def one_pass(prepared: Prepared, split: str = "train") -> Pass:
    """Forward and backward on the first batch of a split."""
    x, target = next(iter(prepared.batches(split).epoch(0)))
    network = prepared.network
    network.loss(network.forward(x, training=True, copy=False), target)
    network.backward()
    outputs = {name: y[: len(x)].copy() for name, y in network.outputs.items()}
    deltas = {name: delta[: len(x)].copy() for name, delta in network.deltas.items()}
    return Pass(outputs, deltas, {name: gradient.copy() for name, gradient in network.gradients.items()})


def layers(prepared: Prepared) -> list[str]:
    """The names of the dense layers, from the input to the output."""
    return [node.name for node in prepared.network.nodes if f"{node.name}.W" in prepared.network.parameters]
