"""From the architecture list to nodes of the graph: names given, shorthand written out.

residual: x → layers → add(x, ·), with a linear projection of x where the shapes differ.
parallel: every branch reads the same input, `merge` joins them.   repeat: the layers, n times.
"""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

from backprop_cli.config.sugar import Parallel, Repeat, Residual
from backprop_cli.engine.arrays import Shape
from backprop_cli.engine.graph import INPUT, Node
from backprop_cli.engine.layer import Layer
from backprop_cli.engine.needs import Needs
from backprop_cli.errors import BuildError
from backprop_cli.registry import make


class Expander:
    """Collects nodes; `sources` remembers which item of the config each one comes from."""

    def __init__(self, input_shape: Shape) -> None:
        self.nodes: list[Node] = []
        self.sources: dict[str, Any] = {}
        self._shapes: dict[str, Shape] = {INPUT: input_shape}
        self._alias: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self._suffix = ""  # of given names within a repeat
        self._taken: set[str] = set()

    def expand(self, items: list[Any], previous: str = INPUT) -> str:
        """Add these items one after the other; the name of the last node."""
        self._taken |= {item.name for item in items if getattr(item, "name", None)}
        for item in items:
            inputs = [self._alias.get(name, name) for name in item.inputs or [previous]]
            if isinstance(item, Residual):
                previous = self._residual(item, inputs)
            elif isinstance(item, Parallel):
                previous = self._parallel(item, inputs)
            elif isinstance(item, Repeat):
                previous = self._repeat(item, inputs)
            else:
                previous = self._add(item, inputs, item)
            if getattr(item, "name", None):
                self._alias[item.name] = previous
        return previous

    def _add(self, layer: Layer, inputs: list[str], source: Any, name: str | None = None) -> str:
        name = name or layer.name
        name = name + self._suffix if name else self._number(layer.type_name)
        if any(node.name == name for node in self.nodes) or name == INPUT:
            raise BuildError(f"the name {name!r} is taken; give each layer a name of its own", name)
        fresh = copy.deepcopy(layer)
        if fresh.shared:
            fresh.shared = self._alias.get(fresh.shared, fresh.shared)
        self.nodes.append(Node(name, fresh, tuple(inputs)))
        self.sources[name] = source
        return name

    def _number(self, kind: str) -> str:
        while True:
            self._counts[kind] += 1
            name = f"{kind}_{self._counts[kind]}"
            if name not in self._taken:
                return name

    def _one(self, item: Any, inputs: list[str]) -> str:
        if len(inputs) != 1:
            raise BuildError(f"{item.type_name} takes one input, got {', '.join(inputs)}", item.name)
        return inputs[0]

    def _residual(self, item: Residual, inputs: list[str]) -> str:
        start = self._one(item, inputs)
        end = self.expand(item.layers, start)
        before, after = self._shape(start), self._shape(end)
        shortcut = start
        if before != after and item.projection == "auto":
            try:
                linear = projection(before, after)
            except BuildError as error:
                raise BuildError(error.message, end) from None
            shortcut = self._add(make("layer", linear), [start], item)
        return self._add(make("layer", "add"), [shortcut, end], item, name=item.name)

    def _parallel(self, item: Parallel, inputs: list[str]) -> str:
        start = self._one(item, inputs)
        ends = [self.expand(branch, start) for branch in item.branches]
        return self._add(item.merge, ends, item, name=item.name)

    def _repeat(self, item: Repeat, inputs: list[str]) -> str:
        previous, outer = self._one(item, inputs), self._suffix
        for time in range(1, item.times + 1):
            self._suffix = f"{outer}_{time}"
            previous = self.expand(item.layers, previous)
        self._suffix = outer
        return previous

    def _shape(self, name: str) -> Shape:
        """The output shape of a node, from a copy built for the purpose."""
        if name not in self._shapes:
            node = next((node for node in self.nodes if node.name == name), None)
            if node is None:
                raise BuildError(f"there is no layer {name!r} before this one")
            probe = copy.deepcopy(node.layer)
            for _, part in probe.walk():
                part.needs = Needs()
            try:
                self._shapes[name] = probe.build(*(self._shape(source) for source in node.inputs))
            except BuildError as error:
                raise BuildError(error.message, error.node or name) from None
        return self._shapes[name]


def projection(before: Shape, after: Shape) -> dict[str, Any]:
    """The linear map that gives a shortcut the shape of what it is added to. Raises BuildError."""
    if before[:-1] == after[:-1]:
        return {"type": "dense", "units": after[-1], "bias": False}
    strides = [-(-a // b) for a, b in zip(before[:-1], after[:-1], strict=False)]
    fits = len(before) == len(after) == 3 and all(
        -(-a // s) == b for a, b, s in zip(before, after, strides, strict=False)
    )
    if not fits:
        raise BuildError(
            f"no projection takes {before} to {after}; make the layers keep the shape, or only change the last axis"
        )
    return {"type": "conv2d", "filters": after[-1], "kernel_size": 1, "strides": strides, "bias": False}
