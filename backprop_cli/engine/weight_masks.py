"""Which weights of a kernel there are: what layers say of it, and which of them pruning takes next."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.node import Node
from backprop_cli.errors import BuildError
from backprop_cli.seeds import generator


def kernel_mask(node: Node, shape: Shape) -> Any:
    """The `weight_mask` of a node's kernel of this shape. Raises BuildError where it does not fit."""
    given = node.layer.weight_mask
    if given is None or given == "nonzero":
        return given
    try:
        mask = np.array(given, np.float64)
        whole = np.broadcast_to(mask, shape)
    except ValueError:
        message = f"weight_mask: expected a list of shape {shape}, or one that stretches to it"
        raise BuildError(message, node.name) from None
    if not bool(((mask == 0) | (mask == 1)).all()):
        raise BuildError("weight_mask: expected nothing but 0 and 1", node.name)
    return whole


def check_mask(node: Node) -> None:
    """Raise BuildError where the `weight_mask` of a node cannot be that of one kernel."""
    kernels = sum(spec.decay for _, part in node.layer.walk() for spec in part.needs.parameters)
    if kernels == 0 or (kernels > 1 and node.layer.weight_mask != "nonzero"):
        raise BuildError(
            f"weight_mask: a {node.layer.type_name} layer has {kernels} kernels, and a list masks one"
            + ("; use nonzero with given weights" if kernels else ""),
            node.name,
        )


def prune(mask: Array, places: Array, w: Array, share: float, by: Literal["magnitude", "random"], *key: int) -> None:
    """Put the mask at 0 for a share of these places, those among them that it has left out before: then the smallest of
    the weights w (a flat vector), or any. `key` is a seed and what tells draws from it apart."""
    counts = np.abs(w[places]) if by == "magnitude" else generator(key[0], "pruning", *key[1:]).random(len(places))
    order = np.argsort(np.where(mask[places] == 0, -1, counts), kind="stable")
    mask[places[order[: int(share * len(places))]]] = 0
