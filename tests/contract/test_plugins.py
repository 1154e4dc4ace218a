"""A layer of one's own: checked, named where it is wrong, and its mistakes told in a line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Bp = Callable[..., Any]
LAYER = '''
import numpy as np
from backprop_cli.engine.layer import Layer, layer

@layer("squared")
class Squared(Layer):
    """y = x², dx = 2 x dy."""

    examples = [{"options": {}, "inputs": [(4,)]}]

    def build(self, *shapes):
        return shapes[0]

    def forward(self, x, y, training):
        np.multiply(x, x, out=y)

    def backward(self, x, y, dy, dx):
        if dx is not None:
            np.multiply(2 * x, dy, out=dx)
'''


def gradcheck(bp: Bp, folder: Path, text: str) -> Any:
    (folder / "mine.py").write_text(text)
    return bp("gradcheck", "--plugin", "mine.py", "--json")


def test_a_right_layer_passes(bp: Bp, tmp_path: Path) -> None:
    done = gradcheck(bp, tmp_path, LAYER)
    assert done.code == 0 and done.json["passed"] and {each["name"] for each in done.json["checks"]} == {"squared"}


@pytest.mark.parametrize(
    ("right", "wrong", "worst"),
    [
        ("2 * x", "2.001 * x", "input["),
        ("            np.multiply(2 * x, dy, out=dx)", "            pass", "dx was never written"),
        ("def backward", "def backwards", "Squared defines no backward"),
        ("x, x, out=y", "x, x[:, :2], out=y", "mine.py:15: ValueError: "),
        ("    examples =", "    example =", "no `examples`"),
    ],
    ids=["factor", "not written", "missing", "shapes", "no examples"],
)
def test_a_wrong_layer_is_caught_and_named(bp: Bp, tmp_path: Path, right: str, wrong: str, worst: str) -> None:
    done = gradcheck(bp, tmp_path, LAYER.replace(right, wrong))
    failed = [each for each in done.json["checks"] if not each["passed"]]
    assert done.code == 1 and not done.json["passed"]
    assert failed[0]["name"] == "squared" and worst in failed[0]["worst"]


def test_a_plugin_without_layers_is_no_pass(bp: Bp, tmp_path: Path) -> None:
    done = gradcheck(bp, tmp_path, "x = 1\n")
    assert done.code == 2 and "defines no layer and no loss" in done.err


def test_a_bug_in_a_plugin_is_one_line_in_training(bp: Bp, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(LAYER.replace("x, x, out=y", "x, undefined, out=y"))
    (tmp_path / "c.yaml").write_text(
        "plugins: [mine.py]\ndataset: {source: sample, name: diabetes}\n"
        "architecture: [squared, {type: dense, units: 1}]\nloss: mse\n"
    )
    done = bp("train", "c.yaml")
    announced, *told = done.err.splitlines()
    assert done.code == 1 and len(told) == 1 and "running the plugin" in announced
    assert "mine.py, line 15: NameError: name 'undefined' is not defined; --debug" in done.err
