"""The order of values after a flatten: PyTorch has channels first, bp last."""

from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.graph import INPUT, Network, Node
from backprop_cli.engine.layer import Activation

KEEPS = ("dropout", "gaussian_noise", "batch_norm", "layer_norm", "rms_norm")  # each number stays at its place
ALONG_TIME = ("conv1d", "max_pool1d", "avg_pool1d")  # PyTorch's have channels first; its recurrent layers do not


def orders(network: Network) -> dict[str, Array]:
    """By node, where in PyTorch's row each number of bp's flat input row stands; for nodes where that differs."""
    arrays: dict[str, Array] = {}
    by_name = {node.name: node for node in network.nodes}
    for node in network.nodes:
        flat = _flattened(node, by_name)
        if flat is not None and flat.input_shapes[0][-1] > 1 and _channels_first(flat, by_name):
            *places, channels = flat.input_shapes[0]
            order = np.arange(int(np.prod(flat.input_shapes[0]))).reshape(channels, *places)
            arrays[node.name] = np.moveaxis(order, 0, -1).ravel()
    return arrays


def _flattened(node: Node, by_name: dict[str, Node]) -> Node | None:
    """The flatten that a node reads, if every layer between leaves each number at its place."""
    while len(node.inputs) == 1 and node.inputs[0] != INPUT:
        node = by_name[node.inputs[0]]
        if len(node.shape) == 1 and len(node.input_shapes[0]) > 1:
            return node if node.layer.view else None
        if not (isinstance(node.layer, Activation) or node.layer.type_name in KEEPS):
            return None
    return None


def _channels_first(flat: Node, by_name: dict[str, Node]) -> bool:
    """Whether PyTorch would have channels first there: in images, and in sequences that convolutions made."""
    if len(flat.input_shapes[0]) == 3:
        return True
    name = flat.inputs[0]
    while name != INPUT:
        layer = by_name[name].layer
        if layer.type_name in ALONG_TIME:
            return True
        if not (isinstance(layer, Activation) or layer.type_name in KEEPS):
            return False
        name = by_name[name].inputs[0]
    return False
