"""Measurements of a training step, layer by layer: gradient norms, sizes of updates, dead and saturated units.

Per layer, of one batch: ‖g‖ and ‖w‖ over all it trains, their ratio, ‖Δw‖/‖w‖ of the update (about 1e-3
where training goes well; LeCun et al. 1998, Karpathy 2015), mean and standard deviation of its outputs, the
share of ReLU units that no example of the batch activates, and the share of outputs in the flat parts of a
sigmoid or tanh (Glorot & Bengio 2010). Which activations die or saturate they say themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.graph import Network, Node
from backprop_cli.engine.layer import Activation, Layer
from backprop_cli.engine.optimizers.base import norm

Layers = dict[str, dict[str, float]]


def activation_of(layer: Layer) -> Activation | None:
    """The activation that a layer is, or has as an option; None where it has none."""
    return layer.ends_with if isinstance(layer, Activation) or getattr(layer, "activation", None) else None


def own_outputs(network: Network) -> Iterator[tuple[Node, Array]]:
    """Every node whose output of the last batch can still be read, without the steps that do not count. Left out are
    views, and nodes over whose output the next one has written in place."""
    values, masks, last = network.outputs, network.masks, dict[int, str]()
    places = {node.name: values[node.name].ctypes.data for node in network.nodes if not node.layer.view}
    for name, place in places.items():
        last[place] = name
    for node in network.nodes:
        if node.name in places and last[places[node.name]] == node.name:
            y, mask = values[node.name], masks[node.name]
            if mask is None or mask.any():
                yield node, y if mask is None else y[mask]


def outputs(network: Network) -> Layers:
    """`mean`, `std` and, where they mean something, `dead` and `saturated` of every layer's last output.

    A unit is an index of the last axis: a channel of an image counts as one, over all places.
    """
    layers: Layers = {}
    for node, y in own_outputs(network):
        mean, deviation = moments(y)
        layers[node.name] = {"mean": mean, "std": deviation}
        activation = activation_of(node.layer)
        if activation is None:
            continue
        flat = activation.flat(y)
        if activation.dies:
            layers[node.name]["dead"] = float(1 - active(y).mean())
        elif flat is not None:
            layers[node.name]["saturated"] = np.count_nonzero(flat) / flat.size
    return layers


def moments(y: Array) -> tuple[float, float]:
    """Mean and standard deviation, in float64. NumPy's functions for them take twice to four times as long."""
    mean = float(np.add.reduce(y, axis=None, dtype=np.float64)) / y.size
    apart = np.subtract(y, mean, dtype=np.float64)
    return mean, math.sqrt(float(np.vdot(apart, apart)) / y.size)


def active(y: Array) -> Array:
    """Which units are above zero for any example (and place) of the batch."""
    return np.asarray(np.greater(y, 0).reshape(-1, y.shape[-1]).any(axis=0))


def trained(network: Network) -> dict[str, list[slice]]:
    """Layer name -> the parts of the flat vectors that it trains."""
    store = network.store
    parts: dict[str, list[slice]] = {}
    names = sorted((node.name for node in network.nodes), key=len, reverse=True)
    for name, span in store.spans.items():
        if not store.entries[name].frozen:
            owner = next(node for node in names if name.startswith(f"{node}."))
            parts.setdefault(owner, []).append(span)
    return {node.name: parts[node.name] for node in network.nodes if node.name in parts}


def norms(vector: Array, parts: dict[str, list[slice]]) -> dict[str, float]:
    """‖v‖₂ of each layer's parts of a flat vector."""
    return {name: math.hypot(*(norm(vector[span]) for span in spans)) for name, spans in parts.items()}


def ratio(a: float, b: float) -> float:
    """a / b, and 0 where there is nothing to compare with."""
    return a / b if b > 0 else 0.0
