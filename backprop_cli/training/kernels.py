"""Chooses the kernels of a training, and advises where compiled ones are missing."""

from __future__ import annotations

from backprop_cli.engine import kernels
from backprop_cli.engine.graph import Network
from backprop_cli.training.options import Trainer

LONG = 60.0  # seconds of training from which it is worth saying
FLOPS = 4e10  # what matrix products and the passes around them achieve together, per second
NODE_SECONDS = 4e-5  # of a step, forward and backward, spent on calls
STEP_SECONDS = 1e-4  # of a step outside the layers: batch, loss, update, bookkeeping


def chosen(options: Trainer) -> str:
    """The set of kernels that the options of a training ask for."""
    return kernels.best() if options.kernels == "auto" else str(options.kernels)


def estimate(network: Network, batch: int, steps: int) -> float:
    """Roughly the seconds that this many steps take with NumPy's kernels."""
    flops = 3 * batch * sum(node.layer.flops(*node.input_shapes) for node in network.nodes)
    return steps * (flops / FLOPS + NODE_SECONDS * len(network.nodes) + STEP_SECONDS)


def advice(network: Network, batch: int, steps: int) -> str | None:
    """What to say before a long training that would be faster with compiled kernels, or None."""
    seconds, why = estimate(network, batch, steps), kernels.missing()
    if network.kernels.which != "numpy" or not why or seconds < LONG:
        return None
    return (
        f"this takes some {seconds / 60:.0f} minutes with NumPy's kernels; compiled ones are up to three times as "
        f"fast, but {why}"
    )
