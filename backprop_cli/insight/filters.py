"""The filters of a network's first layer, and activations as pictures."""

from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.graph import INPUT, Network, Node


def filters(network: Network) -> tuple[str, Array] | None:
    """(layer, filters (O, kh, kw, C)) of the first layer that sees images; None where none does."""
    for node in network.nodes:
        weights = getattr(node.layer, "W", None)
        if weights is not None and weights.ndim == 4:
            return node.name, np.moveaxis(weights, -1, 0)
        if weights is None:
            continue
        sees = len(network.input_shape) == 3 and _sees_input(network, node)
        if sees and weights.ndim == 2 and len(weights) == np.prod(network.input_shape):
            return node.name, weights.T.reshape(-1, *network.input_shape)
        break
    return None


def _sees_input(network: Network, node: Node) -> bool:
    """Whether only reshaping lies between the data and the node."""
    name = node.inputs[0]
    while name != INPUT:
        before = network.node(name)
        if not before.layer.view:
            return False
        name = before.inputs[0]
    return True


def tile(value: Array) -> Array:
    """Activations as a picture: images as they are (channels averaged), sequences as F × T, vectors in rows; NaN where
    the last row ends early."""
    if value.ndim == 3:
        return np.asarray(value.mean(axis=-1))
    if value.ndim == 2:
        return value.T
    flat = value.reshape(-1).astype(float)
    side = int(np.ceil(np.sqrt(flat.size)))
    padded = np.full(side * -(-flat.size // side), np.nan)
    padded[: flat.size] = flat
    return padded.reshape(-1, side)
