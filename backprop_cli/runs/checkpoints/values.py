"""The plain values of a checkpoint, beside its arrays: where training stood, and what its parts remember."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from backprop_cli.runs.contents import Numbers
from backprop_cli.untrusted.documents import Document, Number, Whole, lasting


@lasting
class OptimizerValues(TypedDict, total=False):
    """Of the optimizer: its updates, batches and rows accumulated towards the next, and the schedule's values."""

    iteration: Whole
    gathered: Whole
    gathered_rows: Number
    schedule: dict[str, Any]  # each schedule reads its own


@lasting
class BestValues(TypedDict, total=False):
    """Of the callback Best: the best value with its epoch and step, and what early stopping compares and has waited."""

    value: Number | None
    reference: Number | None
    waited: Whole
    epoch: Whole
    step: Whole


@lasting
class LogValues(TypedDict, total=False):
    """Of a log: how many lines it has, and its last ones."""

    tail: str
    rows: Whole


@lasting
class Values(TypedDict, total=False):
    """Of last.safetensors all; of best.safetensors epoch, step, best and model."""

    epoch: Whole
    batch: Whole
    step: Whole
    seconds: Number
    rate: Number
    row: Numbers
    stop_reason: str | None
    optimizer: OptimizerValues
    rng: dict[str, Any]  # NumPy checks the state of a generator
    Best: BestValues
    Recorder: LogValues
    DiagnosticsLog: LogValues
    best: Numbers | None
    model: dict[str, Any]  # see `model.description`


VALUES = Document[dict[str, Any]](Values)
SUMS = Document[dict[str, int]](dict[str, Whole])  # of the arrays by name
