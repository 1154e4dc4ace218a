"""Which steps of a sequence count, after layers that change the number of steps or take several sequences.

A mask is (N, T) booleans, True at steps that count. The rules below keep one promise: a sequence padded to any length
gives the numbers it gives with no padding at all. So a step of y counts where it would be there without the padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Protocol

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.window import Axis
from backprop_cli.errors import BuildError, shortage
from backprop_cli.onnx import OnnxGraph


class Rule(Protocol):
    """From the masks of a layer's inputs (None where every step counts) to that of its output."""

    @property
    def steps(self) -> int:
        """How many steps the output has."""
        ...

    def write(self, masks: Sequence[Array | None], out: Array) -> None:
        """Write the output's mask."""
        ...

    def onnx(self, graph: OnnxGraph, masks: Sequence[str | None]) -> str:
        """Add the operators that compute it; its name."""
        ...


@dataclass(frozen=True)
class Cells:
    """Step o of y counts if every one (or any) of the steps `cells[:, o]` of x does."""

    cells: Array  # (some, T')
    every: bool = True

    @property
    def steps(self) -> int:
        """The number of steps T' of the output."""
        return int(self.cells.shape[1])

    def write(self, masks: Sequence[Array | None], out: Array) -> None:
        """Write the mask of the output into `out` (N, T') booleans, from the one input's mask (N, T)."""
        mask, join = masks[0], np.logical_and if self.every else np.logical_or
        assert mask is not None, "a mask goes on where there is one"
        np.take(mask, self.cells[0], axis=1, out=out, mode="clip")
        for cell in self.cells[1:]:
            join(out, mask[:, cell], out=out)

    def onnx(self, graph: OnnxGraph, masks: Sequence[str | None]) -> str:
        """Add the operators that compute the output's mask (N, T') from the one input's; its name."""
        assert masks[0] is not None, "a mask goes on where there is one"
        counted = [graph.add("Gather", masks[0], cell, axis=1) for cell in self.cells]
        return reduce(lambda a, b: graph.add("And" if self.every else "Or", a, b), counted)


@dataclass(frozen=True)
class All:
    """A step counts if it does in every input."""

    steps: int

    def write(self, masks: Sequence[Array | None], out: Array) -> None:
        """Write the logical and of the masks into `out` (N, T) booleans; None is True throughout."""
        out[...] = True
        for mask in masks:
            if mask is not None:
                np.logical_and(out, mask, out=out)

    def onnx(self, graph: OnnxGraph, masks: Sequence[str | None]) -> str:
        """Add the operators that compute the logical and of the masks (N, T); its name."""
        return reduce(lambda a, b: graph.add("And", a, b), [mask for mask in masks if mask is not None])


@dataclass(frozen=True)
class Joined:
    """The steps of the inputs, one sequence after the other."""

    sizes: tuple[int, ...]

    @property
    def steps(self) -> int:
        """The sum of the inputs' numbers of steps."""
        return sum(self.sizes)

    def write(self, masks: Sequence[Array | None], out: Array) -> None:
        """Write the masks (N, Tᵢ) one after the other into `out` (N, ΣTᵢ) booleans; None is True throughout."""
        start = 0
        for mask, size in zip(masks, self.sizes, strict=True):
            out[:, start : start + size] = True if mask is None else mask
            start += size

    def onnx(self, graph: OnnxGraph, masks: Sequence[str | None]) -> str:
        """Add the operators that concatenate the masks (N, Tᵢ) along the steps; the name of the result (N, ΣTᵢ)."""
        some = next(mask for mask in masks if mask is not None)
        parts = [mask or self._full(graph, some, size) for mask, size in zip(masks, self.sizes, strict=True)]
        return graph.add("Concat", *parts, axis=1)

    @staticmethod
    def _full(graph: OnnxGraph, mask: str, size: int) -> str:
        steps = graph.add("Gather", mask, np.zeros(size, np.int64), axis=1)
        return graph.add("Or", steps, graph.add("Not", steps))


def windows(axis: Axis, padding: Any) -> Cells:
    """The rule of a window that slides along the steps.

    Without padding all that it covers must count. With `before` and `after` cells of padding it may reach over the
    ends of the sequence by as much, wherever these are. `same` gives each step (of those that strides leave) a window.
    """
    reach = axis.dilation * (axis.kernel - 1) + 1
    inner = 1 if padding == "same" else reach - axis.before - axis.after
    return spans(axis.size, axis.out, axis.stride, inner)


def shifting(axis: Axis, padding: Any) -> str | None:
    """What to say where more padding moves the windows, which it does if `same` divides an odd border by the length."""
    reach = axis.dilation * (axis.kernel - 1) + 1
    if padding != "same" or max(0, reach - axis.stride) // 2 == (reach - 1) // 2:
        return None
    return (
        "with strides, padding: same begins its windows at a place that depends on how far sequences are padded; so "
        "will the results; give the padding in numbers, say [[before, after]]"
    )


def spans(size: int, out: int, stride: int, inner: int) -> Cells:
    """Step o counts if the `inner` steps from o·stride on do; where `inner` is below 1, if any of the 2 − inner steps
    up to o·stride does. Raises BuildError where that table does not fit into memory."""
    if lacking := shortage(3 * 8 * out * (inner if inner > 0 else 2 - inner)):
        raise BuildError(f"{out} steps, each with a window of {abs(inner)}, are too many: the table of them {lacking}")
    offsets = np.arange(inner) if inner > 0 else np.arange(inner - 1, 1)
    return Cells(np.clip(np.arange(out) * stride + offsets[:, None], 0, size - 1), every=inner > 0)


def hide(x: Array, mask: Array, fill: float, out: Array) -> Array:
    """x with `fill` at the steps that do not count, in `out`."""
    out[...] = fill
    np.copyto(out, x, where=mask[..., None])
    return out


def hidden(graph: OnnxGraph, x: str, fill: float) -> str:
    """The same as ONNX operators, where x comes with a mask."""
    mask = graph.masks[0]
    return x if mask is None else graph.add("Where", _unsqueezed(graph, mask), x, fill)


def zeroed(graph: OnnxGraph, y: str, mask: str | None) -> str:
    """y with zeros at the steps that do not count, as ONNX operators."""
    return y if mask is None else graph.add("Where", _unsqueezed(graph, mask), y, 0.0)


def _unsqueezed(graph: OnnxGraph, mask: str) -> str:
    return graph.add("Unsqueeze", mask, np.array([2]))
