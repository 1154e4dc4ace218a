"""Activations hold against PyTorch's values and gradients, far out too, as layers and as options of dense."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop_cli.engine.battery import Projection
from backprop_cli.engine.graph import INPUT, Network, Node
from backprop_cli.registry import classes, make

REFERENCE = dict(np.load(Path(__file__).parents[2] / "reference" / "losses.npz"))
CASES = sorted({key.rpartition("/")[0] for key in REFERENCE if key.startswith("activation/")})
TOLERANCE = {"float64": {"rtol": 1e-9, "atol": 1e-12}, "float32": {"rtol": 1e-4, "atol": 1e-5}}


def reference(case: str) -> tuple[dict[str, Any], np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Options, x, y, dy and dx, with rows of one number where the grid is flat."""
    spec = json.loads(str(REFERENCE[f"{case}/spec"]))
    arrays = [REFERENCE[f"{case}/{part}"] for part in ("x", "y", "dy", "dx")]
    x, y, dy, dx = (array.reshape(len(array), -1) for array in arrays)
    return spec, x, y, dy, dx


def run(network: Network, x: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    y = network.forward(x.astype(network.dtype), training=True)
    network.loss(y, dy.astype(network.dtype))
    network.backward()
    return y.copy(), network.input_gradients.copy()


def test_every_activation_has_a_reference() -> None:
    assert {reference(case)[0]["type"] for case in CASES} == set(classes("activation"))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES)
def test_a_layer_holds_against_pytorch(case: str, dtype: str) -> None:
    spec, x, y, dy, dx = reference(case)
    node = Node("layer", make("layer", spec), (INPUT,))
    network = Network([node], x.shape[1:], Projection(), dtype=dtype, input_gradient=True)
    got_y, got_dx = run(network, x, dy)
    np.testing.assert_allclose(got_y, y, **TOLERANCE[dtype])
    np.testing.assert_allclose(got_dx, dx, **TOLERANCE[dtype])


@pytest.mark.parametrize("case", CASES)
def test_an_option_of_dense_holds_against_pytorch(case: str) -> None:
    """W = 1: what comes out is the activation alone, computed in place where it may be."""
    spec, x, y, dy, dx = reference(case)
    width = x.shape[1]
    dense = make("layer", {"type": "dense", "units": width, "activation": make("activation", spec)})
    network = Network([Node("d", dense, (INPUT,))], (width,), Projection(), dtype="float64", input_gradient=True)
    network.load_parameters({"d.W": np.eye(width), "d.b": np.zeros(width)})
    got_y, got_dx = run(network, x, dy)
    np.testing.assert_allclose(got_y, y, **TOLERANCE["float64"])
    np.testing.assert_allclose(got_dx, dx, **TOLERANCE["float64"])


def test_the_slopes_of_prelu_are_one_per_channel() -> None:
    layer = make("layer", "prelu")
    network = Network([Node("p", layer, (INPUT,))], (4, 3), Projection(), dtype="float64", input_gradient=True)
    network.load_parameters({"p.alpha": [0.1, 0.2, -0.3]})
    x, dy = np.random.default_rng(0).normal(size=(2, 5, 4, 3))
    y, dx = run(network, x, dy)
    for channel, alpha in enumerate([0.1, 0.2, -0.3]):
        own, negative = x[..., channel], x[..., channel] < 0
        np.testing.assert_allclose(y[..., channel], np.where(negative, alpha * own, own))
        np.testing.assert_allclose(dx[..., channel], np.where(negative, alpha, 1) * dy[..., channel])
        np.testing.assert_allclose(network.gradients["p.alpha"][channel], (own * dy[..., channel])[negative].sum())
