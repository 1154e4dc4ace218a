"""Which activation the outputs of a network pass last, and what each part of them is."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_cli.engine.layer import Activation
from backprop_cli.engine.node import INPUT, Node
from backprop_cli.registry import make


def last_activations(nodes: Sequence[Node]) -> dict[str, Activation | None]:
    """The activation that each node's output passes last, `linear` where there is none; None if that is unknown."""
    linear: Activation = make("activation", "linear")
    last: dict[str, Activation | None] = {INPUT: None}
    for node in nodes:
        layer, before = node.layer, [last[name] for name in node.inputs]
        if layer.view:
            last[node.name] = before[0]
        elif layer.keeps_linear:
            last[node.name] = linear if any(isinstance(activation, type(linear)) for activation in before) else None
        else:
            last[node.name] = layer.ends_with
    return last


def outputs_of(nodes: Sequence[Node]) -> dict[str, tuple[slice, Activation | None]]:
    """Of a network that ends in a concat of rows of numbers: where each of its inputs lies in the output, and the
    activation that it passed last. Of other networks nothing."""
    last, by_name, ends = nodes[-1], {node.name: node for node in nodes}, last_activations(nodes)
    places: dict[str, tuple[slice, Activation | None]] = {}
    if last.layer.type_name != "concat" or len(last.shape) != 1:
        return places
    start = 0
    for name, (width,) in zip(last.inputs, last.input_shapes, strict=True):
        if name in by_name:
            places[name] = slice(start, start + width), ends[name]
        start += width
    return places
