"""What a layer or a transform writes to when a trained network is exported to ONNX (`bp export --to onnx`).

Only the interface: `commands/export/onnx` has the graph itself, and with it the package `onnx`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import numpy.typing as npt

Array = npt.NDArray[Any]
Operand = str | Array | float
Kind = Literal["float32", "float64", "int64", "bool"]


class OnnxGraph(Protocol):
    """Operators (https://onnx.ai/onnx/operators, opset 17) are added one by one; a value is known by its name.

    An operand is the name of a value, or a constant: an array, or a number. Constants of floats become float32, those
    of whole numbers int64. The first axis of every value is the batch, whose size is not known.
    """

    shapes: Sequence[tuple[int, ...]]  # of the layer's inputs, without the batch axis
    masks: Sequence[str | None]  # of each input: (N, T) booleans, true at steps that count; None where all do
    made_mask: str | None  # a layer that makes a mask leaves its name here
    kind: Kind  # the type of a transform's input
    wide: bool  # whether that, as bp reads it, can hold more digits than float32

    def add(self, op: str, *operands: Operand, domain: str = "", **attributes: Any) -> str:
        """Add an operator; the name of its output. An operand "" is left out."""
        ...

    def add_many(self, op: str, outputs: int, *operands: Operand, **attributes: Any) -> list[str]:
        """Add an operator with several outputs; their names."""
        ...

    def constant(self, value: Any, kind: Kind | None = None) -> str:
        """The name of a constant; `kind` where it is not to be what an operand would be."""
        ...

    def cast(self, x: Operand, kind: Kind) -> str:
        """x in another type."""
        ...

    def scan(
        self, step: Callable[..., Sequence[str]], states: Sequence[str], x: Sequence[tuple[str, Kind]], reverse: bool
    ) -> list[str]:
        """Walk along the first axis of each x, from its end if `reverse`: the last states, then the first state after
        every step, stacked. `step(graph, *states, *x)` adds one step to the graph it is given and returns
        the new states."""
        ...
