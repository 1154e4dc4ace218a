"""Code that is not ours: found by file or by package, checked as ours is, and told from ours when it breaks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from backprop_cli.plugins import Activation, Layer, Loss, Metric, Source, Transform
from tests.conftest import ROOT

LAYER = '''
import numpy as np
from backprop_cli.plugins import Layer, layer

@layer("{name}")
class Doubled(Layer):
    """y = 2 x"""

    examples = {examples}

    def build(self, *shapes):
        return shapes[0]

    def forward(self, x, y, training):
        np.multiply(x, 2, out=y)

    def backward(self, x, y, dy, dx):
        {backward}
'''
BASES = (Layer, Activation, Loss, Metric, Transform, Source)
#: class variables that no author of a plugin sets as a description, or that docs/plugins.md explains elsewhere
NOT_DESCRIPTIONS = {"examples", "type_name", "aliases", "implied", "accepts", "in_unit", "inside", "beside"}
GOOD = {"name": "doubled", "examples": '[{"inputs": [(2,)]}]', "backward": "np.multiply(dy, 2, out=dx)"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"backward": "np.multiply(dy, 3, out=dx)"}, "WRONG  doubled      3.3e-01  input["),
        ({"backward": "pass"}, "dx was never written"),
        ({"backward": "raise ValueError('no idea')"}, "p.py:18: ValueError: no idea"),
        ({"backward": "np.multiply(dy, dx.T[:9, :9], out=dx)"}, "ValueError"),
        ({"examples": "[]"}, "no `examples`"),
    ],
)
def test_a_wrong_gradient_is_found(bp, tmp_path: Path, change: dict[str, str], told: str) -> None:
    (tmp_path / "p.py").write_text(LAYER.format(**GOOD | change))
    done = bp("gradcheck", "--plugin", "p.py")
    assert done.code == 1
    assert "WRONG" in done.out
    assert told in done.out
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import nothing_of_that_name", "ModuleNotFoundError"),
        ("x = = 1", "SyntaxError"),
        (LAYER.format(**GOOD | {"name": "dense"}), "already defined"),
        ("x = 1", "defines no layer and no loss"),
        (None, "no such file"),
    ],
)
def test_a_plugin_that_is_none_is_refused(bp, tmp_path: Path, text: str | None, told: str) -> None:
    if text is not None:
        (tmp_path / "p.py").write_text(text)
    done = bp("gradcheck", "--plugin", "p.py")
    assert done.code == 2
    assert told in done.err
    assert "p.py" in done.err
    assert "Traceback" not in done.err


def test_a_package_offers_its_layers_and_a_broken_one_is_left_out(bp, tmp_path: Path) -> None:
    site = tmp_path / "site"
    for name, text in (("good_layers", LAYER.format(**GOOD)), ("bad_layers", "raise RuntimeError('of no use')")):
        (site / f"{name}-1.0.dist-info").mkdir(parents=True)
        (site / f"{name}.py").write_text(text)
        (site / f"{name}-1.0.dist-info" / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (site / f"{name}-1.0.dist-info" / "entry_points.txt").write_text(f"[backprop_cli.plugins]\n{name} = {name}\n")
    path = {"PYTHONPATH": f"{ROOT}:{site}"}
    described = bp("layers", "doubled", "--json", **path)
    assert described.code == 0, described.err
    assert described.json["module"] == "good_layers"
    assert described.err.count("bad_layers") == 2  # its name and its module, in one line
    assert "of no use" in described.err
    checked = bp("gradcheck", "--layer", "doubled", **path)
    assert checked.code == 0, checked.out
    config = bp("check", "configs/xor.yaml", "--set", "architecture.0={type: doubled}", **path)
    assert config.code == 0, config.err
    assert bp("layers", "doubled").code == 2


def test_every_name_offered_to_plugins_is_there() -> None:
    from backprop_cli import plugins

    assert sorted(plugins.__all__) == plugins.__all__
    assert all(hasattr(plugins, name) for name in plugins.__all__)
    assert "backprop_cli.plugins" in sys.modules


REBOUND = """
import numpy as np
from backprop_cli.plugins import Layer, layer

@layer("scaled")
class Scaled(Layer):
    examples = [{{"inputs": [(2,)]}}]

    def build(self, *shapes):
        self.parameter("g", shapes[0][-1:], "ones")
        return shapes[0]

    def forward(self, x, y, training):
        {forward}

    def backward(self, x, y, dy, dx):
        {dg}
        if dx is not None:
            {dx}
"""
WRITTEN = {"forward": "y[...] = x * self.g", "dg": "self.dg[...] = (dy * x).sum(0)", "dx": "dx[...] = dy * self.g"}
MISTAKES = [
    ({"forward": "y = x * self.g"}, "y was never written"),
    ({"forward": "y += x * self.g"}, "y was never written"),
    ({"forward": "y[..., 0] = x[..., 0]"}, "y was never written at"),
    ({"dg": "self.dg = (dy * x).sum(0)"}, "dg was never written"),
    ({"dx": "dx = dy * self.g"}, "dx was never written"),
]


@pytest.mark.parametrize(("change", "told"), MISTAKES)
def test_what_a_layer_does_not_write_is_said(bp, tmp_path: Path, change: dict[str, str], told: str) -> None:
    (tmp_path / "p.py").write_text(REBOUND.format(**WRITTEN | change))
    layers = "[{type: dense, units: 8}, scaled, {type: dense, units: 2, activation: softmax}]"
    options = [f"architecture={layers}", "plugins=[p.py]", "trainer.epochs=1"]
    sets = [word for option in options for word in ("--set", option)]
    for command in (("check",), ("train",), ("gradcheck",)):
        done = bp(*command, "configs/moons.yaml", *sets)
        assert done.code == (1 if command == ("gradcheck",) else 2), done.err
        assert told in " ".join((done.out + done.err).split()) and "Traceback" not in done.err
    assert told in " ".join(bp("gradcheck", "--plugin", "p.py").out.split())


def test_a_layer_that_writes_everything_trains(bp, tmp_path: Path) -> None:
    (tmp_path / "p.py").write_text(REBOUND.format(**WRITTEN))
    layers = "architecture=[{type: dense, units: 8}, scaled, {type: dense, units: 2, activation: softmax}]"
    done = bp("train", "configs/moons.yaml", "--set", layers, "--set", "plugins=[p.py]", "--epochs", "1")
    assert done.code == 0, done.err


@pytest.mark.parametrize("base", BASES)
def test_what_a_class_can_say_of_itself_is_explained(base: type) -> None:
    table = (ROOT / "docs/plugins.md").read_text(encoding="utf-8").partition("## How a class describes itself")[2]
    said = {name for name, kind in base.__annotations__.items() if str(kind).startswith("ClassVar")} - NOT_DESCRIPTIONS
    assert [name for name in sorted(said) if f"`{name}`" not in table and f"`{name}(" not in table] == []
