"""One number of a network explained: the trace's own line, and a finite difference that agrees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backprop_cli import build, load_config
from backprop_cli.errors import UsageError
from backprop_cli.insight.trace.point import point
from backprop_cli.insight.trace.text import as_text
from backprop_cli.insight.trace.trace import example, trace
from tests.conftest import ROOT

Asked = tuple[str, str, tuple[int, ...]]


def opened(name: str, *overrides: str, sample: int = 0) -> tuple[Any, Any, Any]:
    cfg = load_config(ROOT / f"configs/{name}.yaml", overrides=["dtype=float64", *overrides])
    made = build.prepare(cfg, observe=True, input_gradient=True, kernels="numpy")
    return made.network, *example(made, sample)


@pytest.mark.parametrize(
    "asked",
    [
        ("dense_1", "y", (1,)),
        ("dense_1", "W", (0, 2)),
        ("dense_2", "δ", (0,)),
        ("dense_2", "b", (0,)),
        ("dense_2", "y", (0,)),
    ],
)
def test_its_lines_are_those_of_the_trace(asked: Asked) -> None:
    found = point(*opened("xor", sample=1), *asked)
    text = as_text(trace(load_config(ROOT / "configs/xor.yaml"), 1))
    assert found.lines
    assert all(line in text for line in found.lines)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("xor", ("dense_1", "W", (1, 2))),
        ("xor", ("dense_2", "δ", (0,))),
        ("xor", ("input", "x", (1,))),
        ("mnist", ("dense_1", "W", (400, 7))),
        ("mnist", ("input", "x", (14, 14, 0))),
        ("cnn", ("conv2d_1", "W", (1, 2, 0, 3))),
    ],
)
def test_its_gradient_is_its_finite_difference(name: str, asked: Asked) -> None:
    small = ["dataset={source: sample, name: mnist5k}"] if name != "xor" else []
    network, x, y = opened(name, *small, sample=2)
    before = network.store.values.copy()
    found = point(network, x, y, *asked)
    assert found.error is not None and found.error < 1e-6
    assert np.array_equal(network.store.values, before)


def test_a_long_sum_has_its_largest_products_and_the_rest() -> None:
    network, x, y = opened("mnist", "dataset={source: sample, name: mnist5k}")
    (first, _) = point(network, x, y, "dense_1", "y", (5,)).lines
    assert "(the other 778 products)" in first
    left, _, right = first.partition(" = ")[2].rpartition(" = ")
    numbers = left.replace("(the other 778 products)", "").replace("·", "*")
    assert eval(numbers) == pytest.approx(float(right), abs=1e-6)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("dense_3", "y", (0,)), "did you mean"),
        (("dense_1", "V", (0,)), "expected one of"),
        (("dense_1", "W", (9, 0)), "nothing at"),
        (("dense_1", "W", (0,)), "nothing at"),
        (("dense_1", "y", (-1,)), "nothing at"),
    ],
)
def test_what_is_not_there_is_a_sentence(asked: Asked, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        point(*opened("xor"), *asked)
