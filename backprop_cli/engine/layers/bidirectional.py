from __future__ import annotations

import copy
from typing import Annotated, Any, Literal

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Layer, layer
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, Registered, slot


@layer("bidirectional")
class Bidirectional(Layer):
    """Two copies of a recurrent layer, one reading from 1 to T, the other from T to 1.

    a = layer(x),  b = layer(x from its end),  y = [a, b], a + b, a ⊙ b or (a + b)/2
    concat: da, db are the halves of dy    add: da = db = dy    multiply: da = dy ⊙ b, db = dy ⊙ a
    average: da = db = dy/2    dx is the sum of what the two give
    With return_sequences b is aligned with x: its step t has seen x_t … x_T. Parameters are named
    `forward.W`, `backward.W`, …. Schuster & Paliwal 1997, doi:10.1109/78.650093
    """

    listed_under = "Sequences"

    layer: Annotated[Any, Registered("layer"), Doc("the recurrent layer to copy, with its options")]
    merge: Annotated[
        Literal["concat", "add", "multiply", "average"], Doc("how the outputs of the two directions are joined")
    ] = "concat"

    walks = True
    heeds_mask = True

    readers: dict[str, Layer] = slot()
    y_forward: Array = slot()
    y_backward: Array = slot()
    dpart: Array = slot()
    beside: Array = slot()

    examples = [
        {"options": {"layer": {"type": "lstm", "units": 2}}, "inputs": [(3, 2)]},
        {
            "options": {"layer": {"type": "gru", "units": 1, "return_sequences": True}, "merge": "multiply"},
            "inputs": [(3, 2)],
            "padded": True,
        },
        {
            "options": {"layer": {"type": "rnn", "units": 2, "return_sequences": True}, "merge": "add"},
            "inputs": [(1, 1)],
        },
        {"options": {"layer": {"type": "rnn", "units": 2}, "merge": "average"}, "inputs": [(2, 1)], "padded": True},
    ]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.readers = {"forward": self.layer, "backward": copy.deepcopy(self.layer)}
        if hasattr(self.layer, "go_backwards"):
            self.readers["backward"].go_backwards = not self.layer.go_backwards  # type: ignore[attr-defined]  # just asked

    def parts(self) -> dict[str, Layer]:
        return self.readers

    @property
    def needs_output(self) -> bool:
        return False

    def build(self, *shapes: Shape) -> Shape:
        if not hasattr(self.layer, "go_backwards"):
            raise BuildError(f"bidirectional wraps a recurrent layer (rnn, lstm, gru), got {self.layer.type_name}")
        part, _ = (reader.build(*shapes) for reader in self.readers.values())
        self.workspace("y_forward", part)
        self.workspace("y_backward", part)
        self.workspace("dpart", part, temporary=True)
        self.workspace("beside", shapes[0], temporary=True)
        return (*part[:-1], 2 * part[-1]) if self.merge == "concat" else part

    def forward(self, x: Array, y: Array, training: bool) -> None:
        self.readers["forward"].forward(x, self.y_forward, training)
        self.readers["backward"].forward(x, self.y_backward, training)
        if self.merge == "concat":
            units = self.y_forward.shape[-1]
            np.copyto(y[..., :units], self.y_forward)
            np.copyto(y[..., units:], self.y_backward)
        elif self.merge == "multiply":
            np.multiply(self.y_forward, self.y_backward, out=y)
        else:
            np.add(self.y_forward, self.y_backward, out=y)
            if self.merge == "average":
                np.multiply(y, 0.5, out=y)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        both = [reader.onnx(graph, x) for reader in self.readers.values()]
        if self.merge == "concat":
            return graph.add("Concat", *both, axis=-1)
        return graph.add({"multiply": "Mul", "add": "Add", "average": "Mean"}[self.merge], *both)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        units = self.dpart.shape[-1]
        self._part(dy, dy[..., :units], self.y_backward)
        self.readers["forward"].backward(x, self.y_forward, self.dpart, dx)
        self._part(dy, dy[..., -units:], self.y_forward)
        self.readers["backward"].backward(x, self.y_backward, self.dpart, None if dx is None else self.beside)
        if dx is not None:
            np.add(dx, self.beside, out=dx)

    def _part(self, dy: Array, half: Array, other: Array) -> None:
        """One reader's share of dy into dpart."""
        if self.merge == "concat":
            np.copyto(self.dpart, half)
        elif self.merge == "multiply":
            np.multiply(dy, other, out=self.dpart)
        else:
            np.multiply(dy, 0.5 if self.merge == "average" else 1.0, out=self.dpart)

    def flops(self, *shapes: Shape) -> int:
        return sum(reader.flops(*shapes) for reader in self.readers.values())
