"""The window into a network: what code outside the engine may read of its passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.memory import Bindings
from backprop_cli.engine.node import Node

Around = Callable[[Node, Literal["forward", "backward"], Callable[[], None]], None]


class Inside:
    """The part of a network that shows what happens in it. Arrays are not copies, and hold until the next pass."""

    parameters: dict[str, Array]
    _bound: Bindings | None = None
    _around: Around | None = None

    @property
    def outputs(self) -> Mapping[str, Array]:
        """Every layer's y of the last pass, by name, and the data as `input`; nothing before the first pass.

        The last one's is without an activation that the loss was fused with, which `output` has. Views, and layers
        that work in place, share an array with their input, unless the network was built to `observe`.
        """
        return {} if self._bound is None else self._bound.values

    @property
    def deltas(self) -> Mapping[str, Array]:
        """dL/dy of every layer that has one, by name, while `backward` comes to it; after it, what the layer has left
        there: dL/dz where it has an activation of its own."""
        return {} if self._bound is None else self._bound.deltas

    @property
    def masks(self) -> Mapping[str, Array | None]:
        """Which steps of each of `outputs` count, as (N, T) booleans; None where all do."""
        return {} if self._bound is None else self._bound.masks

    @property
    def watched(self) -> bool:
        """Whether somebody stands around every call of a layer."""
        return self._around is not None

    @contextmanager
    def calls(self, around: Around) -> Iterator[None]:
        """Inside, `around(node, "forward" or "backward", call)` stands in for every call of a layer, and makes it."""
        before, self._around = self._around, around
        try:
            yield
        finally:
            self._around = before

    def bytes_of(self, node: Node) -> int:
        """Memory of one node: its output and gradient where they are arrays of its own, workspaces, parameters and
        their gradients."""
        assert self._bound is not None, "call forward first"
        own = {id(part) for _, part in node.layer.walk()}
        spaces = [view for part, _, view in self._bound.workspaces if id(part) in own and isinstance(view, np.ndarray)]
        y, delta = self.outputs[node.name], self.deltas.get(node.name)
        shares = any(np.may_share_memory(y, self.outputs[name]) for name in node.inputs)
        arrays = [*spaces, *([] if shares else [y]), *([] if delta is None else [delta])]
        trained = sum(view.nbytes for name, view in self.parameters.items() if name.startswith(f"{node.name}."))
        return sum(array.nbytes for array in arrays) + 2 * trained
