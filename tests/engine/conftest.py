"""Every registered layer in the circumstances its examples name, for tests that hold of all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from backprop_cli.engine import battery
from backprop_cli.engine.graph import Network
from backprop_cli.engine.layer import Layer
from backprop_cli.registry import classes


def layer_examples() -> Iterator[tuple[str, int, dict[str, Any]]]:
    """(layer, number of the example, example) of every registered layer."""
    for name, cls in classes("layer").items():
        for number, example in enumerate(cls.examples):
            yield name, number, example


def pytest_generate_tests(metafunc: Any) -> None:
    if "layer_example" in metafunc.fixturenames:
        found = list(layer_examples())
        ids = [f"{name}-{number}" for name, number, _ in found]
        metafunc.parametrize("layer_example", [(name, example) for name, _, example in found], ids=ids)


def network_around(name: str, example: dict[str, Any], batch: int) -> tuple[Network, np.ndarray, np.ndarray]:
    """A network of one example layer, a batch of inputs and a direction r to project outputs on."""
    layer: Layer = classes("layer")[name](**example.get("options", {}))
    shapes = [tuple(shape) for shape in example["inputs"]]
    return battery.around(layer, shapes, batch, padded=example.get("padded", False))
