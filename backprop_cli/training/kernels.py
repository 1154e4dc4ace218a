"""Which kernels a training runs with, where the config leaves it open.

Numba has to be imported, and the first run on a machine compiles for some seconds; after that the
machine code comes from the disk. The choice depends on the size of the training alone, so that the same
config gives the same bits with a cold cache and with a warm one.
"""

from __future__ import annotations

from backprop_cli.engine import kernels
from backprop_cli.engine.graph import Network

PAYS = 10.0  # seconds of training with NumPy's kernels from which compiling is repaid in one run
FLOPS = 4e10  # what matrix products and the passes around them achieve together, per second
NODE_SECONDS = 4e-5  # of a step, forward and backward, spent on calls
STEP_SECONDS = 1e-4  # of a step outside the layers: batch, loss, update, bookkeeping


def choose(network: Network, batch: int, steps: int) -> str:
    """`numba` where it is installed and the training long enough, else `numpy`."""
    return "numba" if kernels.compilable() and estimate(network, batch, steps) >= PAYS else "numpy"


def estimate(network: Network, batch: int, steps: int) -> float:
    """Roughly the seconds that this many steps take with NumPy's kernels."""
    flops = 3 * batch * sum(node.layer.flops(*node.input_shapes) for node in network.nodes)
    return steps * (flops / FLOPS + NODE_SECONDS * len(network.nodes) + STEP_SECONDS)
