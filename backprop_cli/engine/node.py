"""A layer at its place in the graph, and the order in which the places are visited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backprop_cli.engine.arrays import Shape
from backprop_cli.engine.layer import Layer
from backprop_cli.errors import BuildError, expected

INPUT = "input"  # the node name that means the data


@dataclass
class Node:
    """A layer at its place: where its input comes from, what leaves it."""

    name: str
    layer: Layer
    inputs: tuple[str, ...]
    input_shapes: tuple[Shape, ...] = ()
    shape: Shape = ()
    needs_gradient: bool = False  # something at or before it is trained
    consumers: int = 0
    mask: str | None = None  # the node that writes the mask of this one's steps; None where all count


def ordered(nodes: Sequence[Node]) -> list[Node]:
    """Topological order, the config's order kept where it can be."""
    names = {node.name for node in nodes}
    for node in nodes:
        for name in node.inputs:
            if name not in names and name != INPUT:
                raise BuildError(f"there is no layer {name!r} to read; {expected(name, {*names, INPUT})}", node.name)
    done: set[str] = {INPUT}
    done_nodes: list[Node] = []
    waiting = list(nodes)
    while waiting:
        ready = next((node for node in waiting if done.issuperset(node.inputs)), None)
        if ready is None:
            raise BuildError(f"the inputs of {', '.join(node.name for node in waiting)} form a cycle", waiting[0].name)
        waiting.remove(ready)
        done.add(ready.name)
        done_nodes.append(ready)
    return done_nodes
