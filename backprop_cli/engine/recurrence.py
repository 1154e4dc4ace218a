"""A recurrent layer as ONNX operators. Steps are (T, N, F) here; both give the states of all steps, and the last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.onnx import OnnxGraph


class Recurrent(Protocol):
    """What is asked of a recurrent layer; see layers/recurrent.py."""

    units: int
    bias: bool
    go_backwards: bool
    W: Array
    U: Array
    b: Array

    @property
    def gates(self) -> int: ...

    @property
    def learns_start(self) -> bool: ...

    @property
    def states(self) -> tuple[str, ...]: ...

    def onnx_form(self) -> tuple[str, list[int], dict[str, Any]]: ...

    def onnx_biases(self) -> Sequence[Array]: ...

    def bias_row(self, out: Array) -> None: ...

    def onnx_step(self, graph: OnnxGraph, z: str, *states: str) -> Sequence[str]: ...


def operator(layer: Recurrent, graph: OnnxGraph, x: str) -> tuple[str, str]:
    """ONNX's own operator: RNN, LSTM or GRU."""
    op, order, attributes = layer.onnx_form()

    def blocks(a: Array) -> Array:
        """(rows, gates H) as (1, gates H, rows), the gates in ONNX's order."""
        return a.reshape(-1, layer.gates, layer.units)[:, order].reshape(len(a), -1).T[None]

    biases = [blocks(bias[None])[..., 0] for bias in layer.onnx_biases()] if layer.bias else []
    starts = []  # zeros, where none are given
    if layer.learns_start:  # "" stands for the lengths, which come as a mask
        starts = ["", *(graph.add("Unsqueeze", start, np.array([0])) for start in first(layer, graph, x))]
    y, last = graph.add_many(
        op,
        2,
        x,
        blocks(layer.W),
        blocks(layer.U),
        np.concatenate(biases, axis=1) if biases else "",
        *starts,
        hidden_size=layer.units,
        direction="reverse" if layer.go_backwards else "forward",
        **attributes,
    )
    return graph.add("Squeeze", y, np.array([1])), graph.add("Squeeze", last, np.array([0]))


def first(layer: Recurrent, graph: OnnxGraph, x: str) -> list[str]:
    """The states before the first step, (N, H) each."""
    rows = graph.add("Slice", graph.add("Shape", x), np.array([1]), np.array([2]))
    size = graph.add("Concat", rows, np.array([layer.units]), axis=0)
    if layer.learns_start:
        return [graph.add("Expand", getattr(layer, f"{name}0"), size) for name in layer.states]
    return [graph.add("ConstantOfShape", size, value=np.zeros(1, np.float32))] * len(layer.states)


def walk(layer: Recurrent, graph: OnnxGraph, x: str, mask: str) -> tuple[str, str]:
    """Step by step, for a mask (N, T): ONNX's operators know of padding at the end only, and give zeros there."""
    z = graph.add("MatMul", x, layer.W)
    if layer.bias:
        b = np.zeros_like(layer.b)
        layer.bias_row(b)
        z = graph.add("Add", z, b)
    counts = graph.add("Unsqueeze", graph.add("Transpose", mask, perm=[1, 0]), np.array([2]))

    def step(inner: OnnxGraph, *values: str) -> list[str]:
        *states, z_t, counts_t = values
        updated = layer.onnx_step(inner, z_t, *states)
        return [inner.add("Where", counts_t, new, old) for new, old in zip(updated, states, strict=True)]

    last, *_, y = graph.scan(step, first(layer, graph, x), [(z, "float32"), (counts, "bool")], layer.go_backwards)
    return y, last
