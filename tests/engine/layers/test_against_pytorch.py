"""Convolutional, pooling and normalising layers compute what PyTorch computes (see reference/make_layers.py)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop_cli.engine.battery import Projection
from backprop_cli.engine.graph import Network, Node
from backprop_cli.registry import make

STORED = np.load(Path(__file__).parents[2] / "reference" / "layers.npz")
CASES = json.loads(str(STORED["cases"]))


def label(case: dict[str, Any]) -> str:
    return f"{case['layer']}-{case['name']}"


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-9), ("float32", 1e-4)])
@pytest.mark.parametrize("case", CASES, ids=label)
def test_values_and_gradients(case: dict[str, Any], dtype: str, tolerance: float) -> None:
    stored = {key.split("/")[1]: STORED[key] for key in STORED.files if key.startswith(case["name"] + "/")}
    layer = make("layer", {"type": case["layer"], **case["options"]})
    x = stored["x"].astype(dtype)
    network = Network([Node("layer", layer, ("input",))], x.shape[1:], Projection(), dtype=dtype, input_gradient=True)
    network.load_parameters({f"layer.{name}": stored[name] for name in case["parameters"]})
    for name, state in network.states.items():
        state[...] = stored["before." + name.removeprefix("layer.")]
    network.store.gradients[...] = np.nan
    y = network.forward(x, case["training"])

    found = {"y": y.copy()}
    network.loss(y, stored["dy"].astype(dtype))
    network.backward()
    found["dx"] = network.input_gradients
    found |= {f"d{name}": network.gradients[f"layer.{name}"] for name in case["parameters"]}
    found |= {"after." + name.removeprefix("layer."): state for name, state in network.states.items()}
    for name, array in found.items():
        scale = max(1.0, float(np.abs(stored[name]).max()))
        np.testing.assert_allclose(array, stored[name], rtol=0, atol=tolerance * scale, err_msg=name)
