"""The pieces of RealMLP do what its paper says: cosines of numbers, robust scaling, clipping, rates in cosines."""

import math

import numpy as np
import pytest

from backprop_cli.data.dataset import Split
from backprop_cli.data.pipeline import Pipeline, fit_transforms
from backprop_cli.engine.graph import INPUT, Network, Node
from backprop_cli.errors import BuildError
from backprop_cli.registry import make


def outputs(spec: object, x: np.ndarray) -> tuple[Network, np.ndarray]:
    network = Network([Node("l", make("layer", spec), (INPUT,))], x.shape[1:], dtype="float64")
    return network, network.forward(x)


def test_numbers_stand_beside_their_cosines() -> None:
    x = np.random.default_rng(0).normal(size=(5, 3))
    network, y = outputs({"type": "periodic_embedding", "waves": 7}, x)
    F, b, V, c = (network.parameters[f"l.{name}"] for name in "FbVc")
    p = np.cos(2 * np.pi * (x[:, :, None] * F + b))
    expected = np.concatenate([x[:, :, None], np.einsum("nkh,khd->nkd", p, V) + c], axis=2)
    np.testing.assert_allclose(y, expected.reshape(5, 12), rtol=1e-12)


def test_a_category_is_looked_up_and_an_unknown_one_is_zero() -> None:
    x = np.array([[0.5, 2.0], [1.5, -1.0], [2.5, 0.0]])
    network, y = outputs({"type": "category_embedding", "dimension": 3, "columns": {"1": 3}}, x)
    W = network.parameters["l.W"]
    np.testing.assert_array_equal(y[:, 0], x[:, 0])
    np.testing.assert_array_equal(y[:, 1:], [W[2], [0, 0, 0], W[0]])


def test_without_codes_there_is_nothing_to_look_up() -> None:
    with pytest.raises(BuildError, match="no column holds codes of categories"):
        outputs("category_embedding", np.zeros((1, 2)))


def test_a_few_values_far_off_move_nothing() -> None:
    x = np.random.default_rng(0).normal(5, 2, size=(200, 2))
    x[0, 0], x[:, 1] = 1e9, np.arange(200) < 20
    chain = [make("transform", "robust_scale"), make("transform", "smooth_clip")]
    fit_transforms(chain, Split(x, np.zeros(200)), np.dtype(np.float64))
    pipeline = Pipeline(chain, (2,), x.dtype, np.dtype(np.float64), 200)
    np.copyto(pipeline.raw, x)
    found, _ = pipeline(200, np.zeros(200))
    low, middle, high = np.quantile(x[:, 0], (0.25, 0.5, 0.75))
    scaled = (x[:, 0] - middle) / (high - low)
    np.testing.assert_allclose(found[:, 0], scaled / np.sqrt(1 + (scaled / 3) ** 2), rtol=1e-9)
    assert found[0, 0] == pytest.approx(3)
    np.testing.assert_allclose(found[:, 1], np.where(x[:, 1] > 0, 2, 0) / np.sqrt(1 + np.where(x[:, 1] > 0, 4 / 9, 0)))


def test_the_rate_goes_in_cosines_of_log_time() -> None:
    schedule = make("schedule", "cosine_log")
    schedule.bind(99)
    for step in (0, 10, 50, 98):
        share = (step + 1) / 100
        assert schedule.scale(step) == pytest.approx((1 - math.cos(2 * math.pi * math.log2(1 + 15 * share))) / 2)
