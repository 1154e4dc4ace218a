"""Milliseconds of a training step's forward and backward pass of a small CNN, beside PyTorch where it is installed.

OMP_NUM_THREADS=1 python benchmarks/cnn.py [numpy|compiled] [batch]

Steps of the two alternate, so that both meet the same machine; then follow the least times of our layers.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from backprop_cli.engine.graph import Network, Node
from backprop_cli.registry import make

LAYERS: list[dict[str, Any]] = [
    {"type": "conv2d", "filters": 16, "kernel_size": 3, "activation": "relu"},
    {"type": "max_pool2d"},
    {"type": "conv2d", "filters": 32, "kernel_size": 3, "activation": "relu"},
    {"type": "max_pool2d"},
    {"type": "flatten"},
    {"type": "dense", "units": 128, "activation": "relu"},
    {"type": "dense", "units": 10, "activation": "softmax"},
]
ROUNDS = 100


def ours(which: str, x: np.ndarray, t: np.ndarray) -> tuple[Network, Callable[[], object]]:
    names = ["input", *(f"{spec['type']}_{i}" for i, spec in enumerate(LAYERS))]
    nodes = [Node(names[i + 1], make("layer", spec), (names[i],)) for i, spec in enumerate(LAYERS)]
    network = Network(nodes, x.shape[1:], make("loss", "sparse_categorical_crossentropy"), kernels=which)

    def step() -> None:
        network.loss(network.forward(x, training=True), t)
        network.backward()

    return network, step


def pytorch(x: np.ndarray, t: np.ndarray) -> Callable[[], object] | None:
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", torch.get_num_threads())))
    nn = torch.nn
    convolutions = [nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2)]
    model = nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(800, 128), nn.ReLU(), nn.Linear(128, 10))
    images, labels, loss = (
        torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(),
        torch.from_numpy(t),
        nn.CrossEntropyLoss(),
    )

    def step() -> None:
        model.zero_grad()
        loss(model(images), labels).backward()

    return step


def by_layer(network: Network, x: np.ndarray, t: np.ndarray) -> dict[str, float]:
    """The least seconds of each layer's forward and backward."""
    found: dict[str, float] = {}

    def timed(what: str, run: Callable[..., None]) -> Callable[..., None]:
        def wrapper(*arguments: Any) -> None:
            start = time.perf_counter()
            run(*arguments)
            found[what] = min(found.get(what, 1e9), time.perf_counter() - start)

        return wrapper

    for node in network.nodes:
        layer: Any = node.layer
        layer.forward, layer.backward = (
            timed(f"{node.name} ->", layer.forward),
            timed(f"{node.name} <-", layer.backward),
        )
    network.reserve(len(x) + 1)  # so that the calls are bound anew, to the timed ones
    for _ in range(ROUNDS // 2):
        network.loss(network.forward(x, training=True), t)
        network.backward()
    return found


def main() -> None:
    which, batch = ([*sys.argv[1:], "numpy"])[0], int(([*sys.argv[2:], "64"])[0])
    rng = np.random.default_rng(0)
    x, t = rng.random((batch, 28, 28, 1), dtype="float32"), rng.integers(0, 10, batch)
    network, step = ours(which, x, t)
    steps = {which: step, "pytorch": pytorch(x, t)}
    times: dict[str, list[float]] = {name: [] for name, run in steps.items() if run is not None}
    for _ in range(ROUNDS):
        for name, measured in times.items():
            start = time.perf_counter()
            steps[name]()  # type: ignore[misc]  # those left out are not in times
            measured.append(time.perf_counter() - start)
    for name, measured in times.items():
        print(f"{name:24}{min(measured) * 1e3:8.2f} least{np.median(measured) * 1e3:8.2f} median   ms per step")
    for name, seconds in by_layer(network, x, t).items():
        print(f"{name:24}{seconds * 1e3:8.2f}")


if __name__ == "__main__":
    main()
