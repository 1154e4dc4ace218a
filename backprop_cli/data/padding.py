"""Padding in raw sequences (N, T, F): steps whose features all equal one value, as the layer `masking` finds them.

Statistics do not count them, and transforms leave them as they are, so that `masking` still finds them.
"""

from __future__ import annotations

from typing import Any

from backprop_cli.data.arrays import Array
from backprop_cli.onnx import OnnxGraph


def padding(x: Array, value: float | None) -> Array | None:
    """Which steps of x (N, T, F) are padding, booleans (N, T); None where x are no sequences, or nothing is."""
    return None if value is None or x.ndim != 3 else (x == value).all(axis=-1)


def counts(x: Array, value: float | None) -> Any:
    """Which values of x count, booleans (N, T, 1); True where all do."""
    padded = padding(x, value)
    return True if padded is None else ~padded[..., None]


def onnx_kept(graph: OnnxGraph, x: str, y: str, value: float | None) -> str:
    """Add ONNX operators that give y (N, T, F) the steps of padding of x (N, T, F); the name of the result."""
    if value is None or len(graph.shapes[0]) != 2:
        return y
    same = graph.cast(graph.add("Equal", x, graph.constant(float(value), graph.kind)), "float32")
    whole = graph.cast(graph.add("ReduceMin", same, axes=[-1], keepdims=1), "bool")
    return graph.cast(graph.add("Where", whole, float(value), y), "float32")
