"""The keys under `trainer:`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt

from backprop_cli.registry import Component, Registered, register

PositiveInt = Annotated[int, Gt(0)]


@dataclass(kw_only=True)
class EarlyStopping:
    """Stop when the monitored number has not improved by more than `min_delta` for `patience` epochs.

    `monitor` is a column of metrics.jsonl; by default validation/loss, or train/loss without a
    validation split. The weights of the best epoch, the one with the best number, come back unless
    `restore_best` is false; the last ones stay in last.safetensors, from where training can go on, with
    `--epochs N` and its whole patience.
    """

    monitor: str | None = None
    patience: Annotated[int, Ge(0)] = 5
    min_delta: Annotated[float, Ge(0)] = 0.0
    restore_best: bool = True


@dataclass(kw_only=True)
class CheckpointPolicy:
    """When a checkpoint is written: at each of the moments given here, when a signal stops the run, and at the end.

    every_steps    after every so many steps
    every_epochs   after every so many epochs; without any of the three, after each epoch, but not twice a second, and
                   so seldom that checkpoints take at most 2 % of the time
    every_minutes  after the first step that many minutes after the last one
    keep_last      how many stay: last.safetensors, and those before it as last-1, last-2, …
    keep_best      keep the weights of the best epoch in best.safetensors
    monitor        the column of metrics.jsonl that says which epoch is best; the one of early_stopping, if it has
                   one, else validation/loss, or train/loss without a validation split
    """

    every_steps: PositiveInt | None = None
    every_epochs: PositiveInt | None = None
    every_minutes: Annotated[float, Gt(0)] | None = None
    keep_last: Annotated[int, Ge(1)] = 2
    keep_best: bool = True
    monitor: str | None = None


@dataclass(kw_only=True)
class DiagnosticsPolicy:
    """How often the network is looked into: at every so many steps, and at steps 1, 2, 4, 8, … before."""

    every: PositiveInt = 100


@register("section", "trainer")
class Trainer(Component):
    """How long, in which batches, and what is measured.

    epochs          passes over the training split
    batch_size      rows of a step; `full` for all of them
    metrics         measured on the training and the validation split, beside the loss
    shuffle         a new order in every epoch, from the seed
    drop_last       leave out the last batch of an epoch where it is short
    balanced        draw as many rows of every class
    early_stopping  stop when a number no longer improves
    checkpoint      when the state is saved
    kernels         the loops of the engine in NumPy, or compiled by Numba; `auto` chooses
    diagnostics     record what gradients and activations do, for `bp doctor` and `bp plot`
    loggers         where else each row of metrics goes: `tensorboard` writes event files into the run directory
    """

    epochs: PositiveInt = 10
    batch_size: PositiveInt | Literal["full"] = 32
    metrics: Annotated[list[Any], Registered("metric")] = field(default_factory=list)
    shuffle: bool = True
    drop_last: bool = False
    balanced: bool = False
    early_stopping: EarlyStopping | None = None
    checkpoint: CheckpointPolicy = field(default_factory=CheckpointPolicy)
    kernels: Literal["auto", "numpy", "numba"] = "auto"
    diagnostics: bool | DiagnosticsPolicy = True  # gradients and activations, for bp doctor and bp plot
    loggers: list[Literal["tensorboard"]] = field(default_factory=list)
