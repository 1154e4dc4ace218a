"""A training step allocates nothing that grows with the activations: the graph owns all that does."""

from __future__ import annotations

import tracemalloc
from math import prod
from typing import Any

from tests.engine.conftest import network_around

ACTIVATION = 2**20  # bytes of the smallest of a layer's inputs and outputs
ALLOWED = ACTIVATION // 2  # NumPy's casting buffers, 64 KiB an operand, and per-channel vectors
#: of embeddings, so that an activation is larger than the ids, which are sorted
WIDE = {"embedding": {"output_dim": 64}, "category_embedding": {"dimension": 64}}


def test_a_step_allocates_no_activation(layer_example: tuple[str, dict[str, Any]]) -> None:
    name, example = layer_example
    if name in WIDE:
        example = example | {"options": example["options"] | WIDE[name]}
    one, _, _ = network_around(name, example, 1)
    shapes = [one.output_shape] if name in WIDE else [one.output_shape, *one.nodes[-1].input_shapes]
    batch = ACTIVATION // (8 * min(prod(shape) for shape in shapes))
    network, x, r = network_around(name, example, batch)

    def step() -> None:
        network.loss(network.forward(x, training=True, copy=False), r)
        network.backward()

    step()
    tracemalloc.start()
    try:
        step()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < ALLOWED, f"{peak / ACTIVATION:.2f} of an activation"
