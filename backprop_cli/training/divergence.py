"""Detects NaN and infinity, and finds where they came from.

Every step looks at the loss, and at one dot product: g·w over all that is trained is NaN or infinite if any
gradient or weight is, since 0·∞ is NaN. Of an embedding of which only some rows are updated it goes over those of this
batch and those of the one before, which the last update changed. A sum that only overflowed is told apart by looking
at each number. So a weight that an update made infinite ends the next step, also where a saturated unit hides it from
the loss. Running statistics and the optimizer's memory are looked at when an epoch ends and before a checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.graph import INPUT, Network
from backprop_cli.engine.parameters import ParameterStore
from backprop_cli.errors import DivergedError


def finite(number: float) -> bool:
    """Neither NaN nor infinite; said by arithmetic alone, which can be recorded (see engine/replay)."""
    return bool(number - number == 0)


def infinite(network: Network) -> str | None:
    """Which trained numbers are not finite, in words; None if all are."""
    store = network.store
    kernels = network.kernels
    total = 0.0
    for w, g in store.rest:
        total = total + kernels.inner(g, w)
    for table in store.followed:
        total = total + kernels.inner_rows(table.g, table.w, table.touched)
    if finite(total):
        return None
    g, w = store.gradients[: store.trainable], store.values[: store.trainable]
    return next((what for what, of in (("gradient", g), ("weight", w)) if not np.isfinite(of).all()), None)


def healthy(network: Network, memory: Mapping[str, Array]) -> bool:
    """Whether weights, running statistics and the optimizer's `memory` are finite."""
    store = network.store
    return first_infinite({"weights": store.values, "state": store.state, **memory}) is None


def refuse_infinite(network: Network, memory: Mapping[str, Array], where: str) -> None:
    """Raise DivergedError unless weights, running statistics and the optimizer's `memory` are finite. `where` says
    when they were looked at."""
    store = network.store
    if first_infinite({"weights": store.values, "state": store.state}):
        raise DivergedError(f"a weight is NaN or infinite {where}; {culprit(network)}")
    name = first_infinite(memory)
    if name is not None:
        layer = parameter_at(store, int(np.argmin(np.isfinite(memory[name]))))
        raise DivergedError(f"the optimizer's {name} is NaN or infinite {where}; first in layer {layer}")


def first_infinite(vectors: Mapping[str, Array]) -> str | None:
    """The name of the first vector with NaN or infinity in it, or None."""
    for name, vector in vectors.items():
        if not isfinite(vector.dot(vector)) and not np.isfinite(vector).all():
            return name
    return None


def parameter_at(store: ParameterStore, index: int) -> str:
    """The layer and parameter that a place in the flat vectors belongs to: `dense_1, at its dense_1.W`."""
    name = next(name for name, span in store.spans.items() if index < span.stop)
    return f"{name.partition('.')[0]}, at its {name}"


def culprit(network: Network) -> str:
    """The first thing that is not finite, in words."""
    return first_nonfinite(network)[1]


def first_nonfinite(network: Network) -> tuple[str | None, str]:
    """The layer with the first number that is not finite (None for the data or the loss), and what it is: the data,
    a weight, an output in forward order, or a gradient in the order of back-propagation."""
    outputs = network.outputs  # none before the first pass
    if INPUT in outputs and not np.isfinite(outputs[INPUT]).all():
        return None, "the batch itself holds NaN or infinity"
    for node in network.nodes:
        for name, values in [*network.parameters.items(), *network.states.items()]:
            if name.startswith(f"{node.name}.") and not np.isfinite(values).all():
                return node.name, f"first in layer {node.name}, whose {name} is not finite"
        if node.name in outputs and not np.isfinite(outputs[node.name]).all():
            return node.name, f"first in the output of layer {node.name}"
    for node in reversed(network.nodes):
        for name, gradient in network.gradients.items():
            if name.startswith(f"{node.name}.") and not np.isfinite(gradient).all():
                return node.name, f"first in layer {node.name}, in the gradient of {name}"
    return None, "in the loss alone: every layer's output is finite"
