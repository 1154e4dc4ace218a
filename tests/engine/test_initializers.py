"""First values of parameters have the spread their names promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backprop_cli.engine.constraints import MaxNorm, NonNegativeWeights
from backprop_cli.errors import BuildError
from backprop_cli.registry import classes, make

LARGE = (3, 3, 40, 70)
FAN_IN, FAN_OUT = 9 * 40, 9 * 70


def filled(spec: Any, shape: tuple[int, ...], dtype: str = "float64") -> Any:
    out = np.full(shape, np.nan, dtype)
    make("initializer", spec).fill(out, np.random.default_rng(0))
    return out


@pytest.mark.parametrize("name", sorted(classes("initializer")))
@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (3, 3, 2, 5), (2, 4, 1)])
def test_every_initializer_fills_every_kernel(name: str, shape: tuple[int, ...]) -> None:
    out = filled(name, shape, "float32")
    assert np.isfinite(out).all()
    assert np.array_equal(out, filled(name, shape, "float32"))


@pytest.mark.parametrize(
    ("spec", "variance"),
    [
        ("glorot_uniform", 2 / (FAN_IN + FAN_OUT)),
        ({"type": "xavier_normal", "gain": 3.0}, 9 * 2 / (FAN_IN + FAN_OUT)),
        ("he_normal", 2 / FAN_IN),
        ({"type": "kaiming_uniform", "negative_slope": 0.5}, 2 / 1.25 / FAN_IN),
        ("lecun_uniform", 1 / FAN_IN),
        ("lecun_normal", 1 / FAN_IN),
        ({"type": "variance_scaling", "scale": 5.0, "mode": "fan_out"}, 5 / FAN_OUT),
        ({"type": "variance_scaling", "mode": "fan_avg", "distribution": "uniform"}, 2 / (FAN_IN + FAN_OUT)),
        ({"type": "truncated_normal", "std": 0.1}, (0.1 * 0.87962566) ** 2),
    ],
    ids=str,
)
def test_variance(spec: Any, variance: float) -> None:
    out = filled(spec, LARGE)
    assert out.var() == pytest.approx(variance, rel=0.05)
    assert abs(out.mean()) < 5 * np.sqrt(variance / out.size)


def test_truncated_normal_ends_at_two_deviations() -> None:
    out = filled({"type": "truncated_normal", "mean": 1.0, "std": 0.5}, (100, 100))
    assert 0.95 < np.abs(out - 1).max() <= 1.0


@pytest.mark.parametrize("shape", [(5, 5), (8, 3), (3, 8), (3, 3, 2, 7), (2, 2, 2, 30)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    matrix = filled({"type": "orthogonal", "gain": 2.0}, shape).reshape(-1, shape[-1])
    gram = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-12)


def test_orthogonal_blocks_of_a_recurrent_kernel() -> None:
    kernel = filled({"type": "orthogonal", "per_block": True}, (6, 24))
    blocks = [kernel[:, start : start + 6] for start in range(0, 24, 6)]
    for block in blocks:
        np.testing.assert_allclose(block.T @ block, np.eye(6), atol=1e-12)
    assert not np.allclose(blocks[0], blocks[1])


def test_identity_passes_its_input_on() -> None:
    assert np.array_equal(filled("identity", (3, 4)), np.eye(3, 4))
    kernel = filled({"type": "dirac", "gain": 2.0}, (3, 5, 4, 4))
    assert np.array_equal(kernel[1, 2], 2 * np.eye(4))
    assert kernel.sum() == 8
    with pytest.raises(BuildError, match=r"shape \(4,\)"):
        filled("identity", (4,))


@pytest.mark.parametrize("shape", [(6, 4), (3, 3, 2, 4), (2, 5, 1)])
def test_max_norm_shortens_what_is_too_long_and_nothing_else(shape: tuple[int, ...]) -> None:
    w = np.random.default_rng(0).normal(size=shape)
    before, axes = w.copy(), tuple(range(len(shape) - 1))
    length = np.linalg.norm(w.reshape(-1, shape[-1]), axis=0)
    limit = float(np.median(length)) * 0.99
    MaxNorm(max_value=limit).apply(w)
    np.testing.assert_allclose(np.sqrt((w**2).sum(axis=axes)), np.minimum(length, limit), rtol=1e-12)
    assert np.array_equal(w[..., length < limit], before[..., length < limit])
    assert (length > limit).any()


def test_non_negative() -> None:
    w = np.array([[-1.0, 2.0], [0.5, -0.0]])
    NonNegativeWeights().apply(w)
    assert np.array_equal(w, [[0, 2], [0.5, 0]])


def test_constraints_are_found_by_name() -> None:
    assert {"max_norm", "non_negative"} <= set(classes("constraint"))
