"""How many threads the matrix products use.

A small product is over before a second thread has woken up, and where other processes share the cores
two BLAS threads can be ten times slower than one: what counts is the largest single product, not how
many there are (an LSTM makes two small ones a time step). The number depends on the network
and the batch alone, so that a resumed run computes the very same bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

from backprop_cli.engine.graph import Network

SMALL = 200_000_000  # floating-point operations of a layer's products below which one thread is as fast


@contextmanager
def limited(network: Network, batch: int) -> Iterator[None]:
    """Within it, BLAS uses one thread if every layer's products are small."""
    flops = (
        node.layer.at_once(batch)
        * node.layer.flops(*node.input_shapes)
        / (node.input_shapes[0][0] if node.layer.walks else 1)
        for node in network.nodes
    )
    if max(flops) >= SMALL:
        yield
        return
    with threadpool_limits(limits=1):
        yield
