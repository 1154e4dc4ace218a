"""Columns with a plan as ONNX operators, as `data.files.features` has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from backprop_cli.commands.export import dates
from backprop_cli.commands.export.graph import Graph, Size
from backprop_cli.data.arrays import Array
from backprop_cli.data.files.plan import Plan
from backprop_cli.onnx import Kind

Refuse = Callable[[str], None]  # takes booleans (N, 1): the rows that bp does not predict for


def entered(plan: Plan, kind: Kind) -> tuple[str, Size]:
    """The type of the input (N, size) that a column is, and the size."""
    if plan.is_text:
        return "text", "words" if plan.type == "text" else 1
    return "float64" if plan.type == "date" or plan.scale != "none" else kind, 1


def planned(graph: Graph, x: str, plan: Plan, kind: Kind, refuse: Refuse) -> list[str]:
    """The columns of x that an input becomes."""
    if plan.type == "text":
        missing = codes(graph, graph.add("Gather", x, np.array([0]), axis=1), [""], [0], 0)  # no text ever is missing
        counted = _counted(graph, x, plan)
    elif plan.is_text:
        missing = codes(graph, x, [""], [1], 0)
        counted = _category(graph, x, missing, plan, refuse)
    else:
        missing = graph.add("IsNaN", x)
        counted = _number(graph, x, missing, plan, refuse)
    columns = [*counted, *([missing] if plan.flag else [])]
    return [column if graph.kinds[column] == kind else graph.cast(column, kind) for column in columns]


def codes(graph: Graph, x: str, known: Sequence[str], numbers: Sequence[int], rest: int) -> str:
    """The number of each text; `rest` for a text that is not known."""
    output = graph.add(
        "LabelEncoder", x, domain="ai.onnx.ml", keys_strings=known, values_int64s=numbers, default_int64=rest
    )
    graph.kinds[output] = "int64"
    return output


def _number(graph: Graph, x: str, missing: str, plan: Plan, refuse: Refuse) -> list[str]:
    own: Kind = graph.kinds[x]

    def op(name: str, *operands: str | float) -> str:
        output = graph.add(
            name, *(operand if isinstance(operand, str) else graph.constant(operand, own) for operand in operands)
        )
        graph.kinds[output] = own
        return output

    if plan.fill is not None:
        x = op("Where", missing, float(plan.fill), x)
    if plan.parts:
        if plan.fill is None:
            refuse(missing)
        return dates.parts(graph, x, plan.parts)
    if plan.scale == "quantile":
        return [_ranked(graph, x, np.asarray(plan.knots, np.float64))]
    if plan.scale == "log":
        x = op("Mul", op("Sign", x), op("Log", op("Add", op("Abs", x), 1.0)))
    return [x if plan.scale == "none" else op("Div", op("Sub", x, plan.center), plan.spread)]


def _ranked(graph: Graph, x: str, knots: Array) -> str:
    """The share of stretches between two knots that lie below x; a stretch without width that holds x counts half."""

    def constant(value: Array | float) -> str:
        return graph.constant(value, "float64")

    width, past = np.diff(knots), graph.add("Sub", x, constant(knots[:-1]))
    flat = width == 0
    inside = graph.add("Clip", graph.add("Div", past, constant(np.where(flat, 1, width))), constant(0.0), constant(1.0))
    if flat.any():
        half = graph.add("Mul", graph.add("Add", graph.add("Sign", past), constant(1.0)), constant(0.5))
        inside = graph.add("Where", graph.constant(flat, "bool"), half, inside)
        graph.kinds[inside] = "float64"
    return graph.add("ReduceMean", inside, axes=[1], keepdims=1)


def _counted(graph: Graph, x: str, plan: Plan) -> list[str]:
    """log(1 + how often each word occurs) among the words (N, words)."""
    counts = graph.add(
        "TfIdfVectorizer", x, mode="TF", min_gram_length=1, max_gram_length=1, max_skip_count=0, ngram_counts=[0],
        ngram_indexes=list(range(len(plan.words))), pool_strings=plan.words,
    )  # fmt: skip
    graph.kinds[counts] = "float32"
    return [graph.add("Log", graph.add("Add", counts, 1.0))]


def _category(graph: Graph, x: str, missing: str, plan: Plan, refuse: Refuse) -> list[str]:
    known, rest = list(plan.categories), len(plan.categories) if plan.other else -1
    keys, numbers = list(known), list(range(len(known)))
    if plan.fill is not None and "" not in known:  # a missing text is an empty one
        keys, numbers = [*keys, ""], [*numbers, known.index(str(plan.fill)) if plan.fill in known else rest]
    indices = codes(graph, x, keys, numbers, rest)
    if plan.type == "boolean" or plan.unseen == "error":
        refuse(graph.add("Less", indices, 0))
    elif plan.fill is None and "" not in known:
        refuse(graph.cast(missing, "bool"))
    if plan.type == "category" and plan.encoding == "one_hot":
        return [graph.add("Equal", indices, np.arange(len(known) + plan.other)[None])]
    if plan.type == "category" and plan.encoding == "target":
        rows = graph.add(
            "Gather", graph.constant(plan.means, "float32"), indices, axis=0
        )  # −1 is the last: all rows' mean
        reshaped = graph.add("Reshape", rows, np.array([0, len(plan.targets)]))
        graph.kinds[reshaped] = "float32"
        return [reshaped]
    return [indices]
