"""Which nodes of a graph share memory.

A view layer's y is its x in another shape. An in-place layer's y is its x, when nobody else reads
it and the producer does not need it back; the gradients then share memory too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backprop_cli.engine.node import INPUT, Node


def shared(nodes: Sequence[Node], input_gradient: bool, observe: bool) -> tuple[dict[str, str], dict[str, str]]:
    """By node, the one whose array holds its y, and its dy. With `observe` no layer works in place."""
    values, deltas = {INPUT: INPUT}, {INPUT: INPUT}
    by_name = {node.name: node for node in nodes}
    readers = sum(node.inputs.count(INPUT) for node in nodes)
    for node in nodes:
        values[node.name] = deltas[node.name] = node.name
        source = by_name.get(node.inputs[0])
        if node.layer.view:
            values[node.name] = values[node.inputs[0]]
            if source.consumers == 1 and source.needs_gradient if source else readers == 1 and input_gradient:
                deltas[node.name] = deltas[node.inputs[0]]
        elif (
            not observe and node.layer.in_place and source and source.consumers == 1 and not _read_back(source, by_name)
        ):
            values[node.name] = values[source.name]
            if source.needs_gradient:
                deltas[node.name] = deltas[source.name]
    return values, deltas


def _read_back(node: Node, by_name: Mapping[str, Node]) -> bool:
    """Whether overwriting the node's y would hurt: its own backward reads it, or it is the data."""
    if node.layer.needs_output:
        return True
    if not node.layer.view:
        return False
    source = by_name.get(node.inputs[0])
    return source is None or source.consumers > 1 or _read_back(source, by_name)
