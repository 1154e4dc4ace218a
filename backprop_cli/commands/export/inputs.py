"""What an exported model takes: one array, or the columns of a table, each by its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backprop_cli.commands.export import plans
from backprop_cli.commands.export.graph import Graph, Size
from backprop_cli.data.files.matrix import Columns
from backprop_cli.data.files.plan import Plan
from backprop_cli.data.schema import Schema
from backprop_cli.data.transform import Transform
from backprop_cli.data.transforms.normalize import Normalize
from backprop_cli.data.transforms.robust_scale import RobustScale
from backprop_cli.data.transforms.standardize import Standardize
from backprop_cli.engine.graph import Network
from backprop_cli.onnx import Kind

INPUT = "input"
FAR = 1000  # spreads away from 0: from there on float32 rounds raw values too coarsely


@dataclass
class ModelInput:
    """An input: its name, type and shape without the batch axis."""

    name: str
    kind: str
    shape: list[Size]


@dataclass
class Inputs:
    """The inputs, and the value in which they come together as x."""

    x: str
    values: list[ModelInput]
    notes: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # booleans (N, 1): rows that bp does not predict for

    def lengthen(self, name: str) -> None:
        """Give the first axis after the batch no fixed size."""
        self.values[0].shape[0] = name


def enter(
    graph: Graph,
    data: Schema,
    steps: Sequence[Transform],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    network: Network,
) -> Inputs:
    """Declare the inputs of a model with raw rows of this shape and dtype, up to where transforms begin."""
    kind: Kind = "float32"
    if dtype.kind in "iu" and dtype != np.uint8:
        kind = "int64"
    elif dtype == np.float64 and _far(steps):
        kind = "float64"
    windows = data.series is not None
    if data.table is not None and not data.table.text and not windows and (data.table.categories or data.table.plans):
        return _columns(graph, data.table, kind)
    x = graph.input(INPUT, kind)
    inputs = Inputs(x, [ModelInput(INPUT, kind, list(shape))])
    if windows and data.table is not None:
        inputs.notes.append(
            f"{INPUT} are windows (N, {shape[0]}, {shape[1]}) of these columns, in time order and without gaps: "
            + ", ".join(data.table.names())
        )
    elif data.table is not None and data.table.fill:
        graph.scope = "table"
        fills = np.array([data.table.fill.get(name, np.nan) for name in data.table.features], np.float64)
        inputs.x = graph.add("Where", graph.add("IsNaN", x), graph.constant(fills, kind), x)
        graph.kinds[inputs.x] = kind
    if kind == "float64":
        inputs.notes.append(f"{INPUT} is float64: float32 would round its values too coarsely")
    return inputs


def _columns(graph: Graph, table: Columns, kind: Kind) -> Inputs:
    """Every column by its name, numbers as they are, texts as codes or one-hot; as `data.files.matrix` has it."""
    inputs = Inputs("", [])
    parts = []
    wanted: Kind = "int64" if table.integers else "float32" if kind == "int64" else kind
    for name in table.features:
        graph.scope = f"column_{name}"
        plan = table.plans.get(name) or _plan(table, name)
        own, size = plans.entered(plan, wanted)
        inputs.values.append(ModelInput(name, own, [size]))
        parts += plans.planned(graph, graph.input(name, own), plan, wanted, inputs.refused.append)
    graph.scope = "table"
    inputs.x = parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=1)
    inputs.notes.append("each column is an input of its own, of shape (N, 1): " + ", ".join(table.features))
    days = [name for name, plan in table.plans.items() if plan.type == "date"]
    if days:
        inputs.notes.append(f"dates are days since 1970-01-01: {', '.join(days)}")
    words = [name for name, plan in table.plans.items() if plan.type == "text"]
    if words:
        inputs.notes.append(
            f"the words of a text are split before, in lower case, shorter texts filled with '': {', '.join(words)}"
        )
    return inputs


def _plan(table: Columns, name: str) -> Plan:
    """The plan of a column that the config says no more about."""
    known, fill = table.categories.get(name), table.fill.get(name)
    if known is None:
        return Plan("number", fill=fill)
    one_hot = table.encoding == "one_hot"
    return Plan(
        "category",
        encoding="one_hot" if one_hot else "integer",
        unseen="other" if one_hot else "error",
        categories=known,
        fill=fill,
    )


def _far(steps: Sequence[Transform]) -> bool:
    """Whether raw values lie so far from 0, compared with their spread, that float32 could not tell them apart."""
    for step in steps:
        if isinstance(step, Standardize):
            centre, spread = np.abs(step.learned_mean), step.learned_std
        elif isinstance(step, Normalize):
            centre = np.maximum(np.abs(step.smallest), np.abs(step.largest))
            spread = step.largest - step.smallest
        elif isinstance(step, RobustScale):
            centre, spread = np.abs(step.learned_center), step.learned_width
        else:
            continue
        return bool((centre > FAR * np.where(spread > 0, spread, np.inf)).any())
    return False
