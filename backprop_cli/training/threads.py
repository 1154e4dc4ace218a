"""How many threads the matrix products use.

With NumPy's kernels: a small product is over before a second thread has woken up, and where other processes
share the cores two BLAS threads can be ten times slower than one. What counts is the largest single product,
not how many there are (an LSTM makes two small ones a time step). The number depends on the network and the
batch alone, so that a resumed run computes the very same bits.

Compiled kernels make products by themselves, on threads of their own, beside which BLAS has one. Their shares depend
on the sizes alone, not on who works on them, so `Threads` is free to try while it trains.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

from backprop_cli.engine.graph import Network
from backprop_cli.engine.kernels import compiled

SMALL = 200_000_000  # floating-point operations of a layer's products below which one thread is as fast


@contextmanager
def limited(network: Network, batch: int, most: int | None = None) -> Iterator[None]:
    """Within it, BLAS uses one thread if every layer's products are small, or are made by compiled kernels.
    Neither uses more than `most`."""
    if network.kernels.which == "compiled":
        before = compiled.set_threads(min(compiled.MOST_THREADS, most or compiled.MOST_THREADS))
        try:
            with threadpool_limits(limits=1):
                yield
        finally:
            compiled.set_threads(before)
        return
    flops = (
        node.layer.at_once(batch)
        * node.layer.flops(*node.input_shapes)
        / (node.input_shapes[0][0] if node.layer.walks else 1)
        for node in network.nodes
    )
    large = max(flops) >= SMALL
    if large and most is None:
        yield
        return
    with threadpool_limits(limits=most if large else 1):
        yield
