"""Columns with a plan as ONNX operators: what is arithmetic; the rest is named as what cannot be exported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from backprop_cli.commands.export.graph import Graph
from backprop_cli.data.files.plan import Plan
from backprop_cli.errors import UsageError
from backprop_cli.onnx import Kind


def check(plans: Mapping[str, Plan]) -> None:
    """Raise UsageError that names every column whose plan ONNX operators cannot follow."""
    wrong = [f"column {name!r} ({why})" for name, plan in plans.items() for why in _beyond(plan)]
    if wrong:
        raise UsageError(
            f"{', '.join(wrong)} cannot be exported to ONNX; leave them out, or export --to safetensors for bp itself"
        )


def _beyond(plan: Plan) -> Iterator[str]:
    if plan.type == "text":
        yield "counts words"
    if plan.parts:
        yield "parts of dates"
    if plan.scale == "quantile":
        yield "scale: quantile"
    if plan.flag and plan.is_text:
        yield "a flag for missing texts"


def planned(graph: Graph, x: str, plan: Plan, kind: Kind) -> list[str]:
    """The columns that an input (N, 1) becomes, as `data.files.features` has it."""
    if plan.is_text:
        return [_category(graph, x, plan, kind)]
    missing = graph.add("IsNaN", x)
    flags = [graph.cast(missing, kind)] if plan.flag else []
    if plan.fill is not None:
        x = graph.add("Where", missing, graph.constant([float(plan.fill)], kind), x)
        graph.kinds[x] = kind
    if plan.scale == "log":
        one = graph.constant([1.0], kind)
        x = graph.add("Mul", graph.add("Sign", x), graph.add("Log", graph.add("Add", graph.add("Abs", x), one)))
    if plan.scale != "none":
        x = graph.add("Sub", x, graph.constant([plan.center], kind))
        x = graph.add("Mul", x, graph.constant([1 / plan.spread], kind))
    graph.kinds[x] = kind
    return [x, *flags]


def _category(graph: Graph, x: str, plan: Plan, kind: Kind) -> str:
    known, rest = list(plan.categories), len(plan.categories) if plan.other else -1
    keys, numbers = list(known), list(range(len(known)))
    if plan.fill is not None and "" not in known:  # a missing text is an empty one
        keys, numbers = [*keys, ""], [*numbers, known.index(str(plan.fill)) if plan.fill in known else rest]
    if plan.type == "category" and plan.encoding == "target":
        rest, numbers = len(known), [number if number >= 0 else len(known) for number in numbers]
    codes = graph.add(
        "LabelEncoder", x, domain="ai.onnx.ml", keys_strings=keys, values_int64s=numbers, default_int64=rest
    )
    graph.kinds[codes] = "int64"
    if plan.type == "category" and plan.encoding == "one_hot":
        return graph.cast(graph.add("Equal", codes, np.arange(len(known) + plan.other)[None]), kind)
    if plan.type == "category" and plan.encoding == "target":
        rows = graph.add("Gather", graph.constant(plan.means, kind), codes, axis=0)
        found = graph.add("Reshape", rows, np.array([0, len(plan.targets)]))
        graph.kinds[found] = kind
        return found
    return graph.cast(codes, kind)
