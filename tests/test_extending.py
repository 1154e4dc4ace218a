"""One new layer, loss, activation, metric, …: one class in one file from outside, and every command knows it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backprop_cli.insight import plots

PLUGIN = '''
from typing import Annotated
import numpy as np
from annotated_types import Ge, Gt
from backprop_cli.plugins import (
    Activation, Dataset, Doc, Elementwise, InitializerBase, Layer, Logger, Metric, Optimizer, Schedule, Source, Split,
    Transform, activation, initializer, layer, logger, loss, metric, optimizer, schedule, slot, source, transform,
)


@layer("gain")
class Gain(Layer):
    """y = a x          dx = a dy"""

    factor: Annotated[float, Gt(0), Doc("what every number is multiplied by")] = 2.0
    examples = [{"options": {}, "inputs": [(3,)]}]

    def build(self, *shapes):
        return shapes[0]

    def forward(self, x, y, training):
        np.multiply(x, self.factor, out=y)

    def backward(self, x, y, dy, dx):
        if dx is not None:
            np.multiply(dy, self.factor, out=dx)


@activation("bent")
class Bent(Activation):
    """y = x + ¼ x²/(1 + |x|) …          here simply y = x/2 + |x|/4"""

    examples = [{"options": {}, "inputs": [(3,)]}]

    def forward(self, x, y, training):
        y[...] = x / 2 + np.abs(x) / 4

    def backward(self, x, y, dy, dx):
        if dx is not None:
            dx[...] = dy * (0.5 + np.sign(x) / 4)


@loss("quartic")
class Quartic(Elementwise):
    """L = 1/(N K) Σ (y − t)⁴"""

    examples = [{"output": (2,), "target": "values"}]

    def values(self, y, t, out):
        out[...] = (y - t) ** 4

    def slopes(self, y, t, out):
        out[...] = 4 * (y - t) ** 3


@metric("worst")
class Worst(Metric):
    """The largest absolute error."""

    measures = "values"

    def update(self, y, target):
        self.totals[0] = max(self.totals[0], np.abs(y - target.reshape(y.shape)).max())

    def result(self):
        return float(self.totals[0])


@optimizer("sign")
class Sign(Optimizer):
    """w ← w − η sign(g)"""

    floor: Annotated[float, Ge(0), Doc("gradients no larger than this change nothing")] = 0.0

    def update(self, w, g, memory, rate, t, work):
        w -= rate * np.sign(g) * (np.abs(g) > self.floor)


@initializer("halves")
class Halves(InitializerBase):
    """w = ±½"""

    def fill(self, out, rng):
        out[...] = rng.integers(2, size=out.shape) - 0.5


@schedule("sawtooth")
class Sawtooth(Schedule):
    """scale = 1 − (s mod period)/period"""

    period: Annotated[int, Ge(1), Doc("units of a tooth")] = 10

    def at(self, s):
        return 1 - (s % self.period) / self.period


@transform("doubled")
class Doubled(Transform):
    """x ↦ 2 x"""

    def apply(self, x, y, out, rng):
        np.multiply(x, 2, out=out)
        return y


@source("ramp")
class Ramp(Source):
    """y = 3 x on a grid."""

    name: Annotated[str, Doc("steep or flat")] = "steep"

    @classmethod
    def datasets(cls):
        return ["steep", "flat"]

    def load(self, seed, folder, known=None):
        x = np.linspace(-1, 1, 40)[:, None]
        y = (3 if self.name == "steep" else 0.3) * x
        splits = {"train": Split(x[::2], y[::2]), "validation": Split(x[1::2], y[1::2])}
        return Dataset(name=self.name, source="ramp", splits=splits)


@logger("kept")
class Kept(Logger):
    """The last row, in a file."""

    folder: object = slot()

    def open(self, folder, step):
        self.folder = folder

    def write(self, row):
        (self.folder / "kept.txt").write_text(str(row["epoch"]))
'''

CONFIG = """\
plugins: [ours.py]
dataset: {source: ramp, name: steep, transforms: [doubled]}
architecture:
  - {type: dense, units: 4, activation: bent, kernel_initializer: halves}
  - gain
  - {type: dense, units: 1}
loss: quartic
optimizer: {type: sign, floor: 1e-6, schedule: sawtooth}
trainer: {epochs: 2, metrics: [worst], loggers: [kept], early_stopping: {monitor: validation/worst}}
"""
KINDS = {
    "layer": "gain", "activation": "bent", "loss": "quartic", "metric": "worst", "initializer": "halves",
    "schedule": "sawtooth", "transform": "doubled", "source": "ramp", "logger": "kept", "optimizer": "sign",
}  # fmt: skip


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    (tmp_path / "ours.py").write_text(PLUGIN)
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path


def test_all_of_them_together_train(bp, ours: Path) -> None:
    done = bp("train", ours / "c.yaml", "--run-dir", ours / "run", "--json", "--quiet")
    assert done.code == 0, done.err
    assert done.json["metrics"]["validation/worst"] > 0
    assert (ours / "run/kept.txt").read_text() == "2"
    assert bp("eval", ours / "run", "--json").json["metrics"]["worst"] > 0


def test_their_gradients_are_checked(bp, ours: Path) -> None:
    done = bp("gradcheck", "--plugin", ours / "ours.py", "--json")
    assert {check["name"] for check in done.json["checks"]} == {"gain", "bent", "quartic"}
    assert done.json["passed"], done.out


def test_they_are_described_and_in_the_schema(bp, ours: Path) -> None:
    definitions = json.loads(bp("config", "schema", "--plugin", ours / "ours.py").out)["definitions"]
    assert [name for kind, name in KINDS.items() if f"{kind}.{name}" not in definitions] == []
    assert "multiplied by" in bp("layers", "gain", "--plugin", ours / "ours.py").out
    wrong = bp("check", ours / "c.yaml", "--set", "architecture.1={type: gain, factr: 3}")
    assert wrong.code == 2 and "did you mean 'factor'" in wrong.err


@pytest.mark.long
def test_a_source_is_in_the_catalogue_by_being_there(bp, ours: Path) -> None:
    """As an installed package offers it: an entry point."""
    package = ours / "site"
    (package / "ours-1.dist-info").mkdir(parents=True)
    (package / "ours.py").write_text(PLUGIN)
    (package / "ours-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: ours\nVersion: 1\n")
    (package / "ours-1.dist-info/entry_points.txt").write_text("[backprop_cli.plugins]\nours = ours\n")
    listed = bp("data", "ls", "--json", PYTHONPATH=str(package)).json
    assert {"name": "flat", "source": "ramp", "prepared": True, "about": ""} in listed
    info = bp("data", "info", "flat", "--json", PYTHONPATH=str(package))
    assert info.code == 0 and info.json["source"] == "ramp", info.err
    wrong = bp("data", "info", "flt", "--source", "ramp", PYTHONPATH=str(package))
    assert wrong.code != 0 and "did you mean 'flat'" in wrong.err
    for line, offered in (("bp data info fla", "flat"), ("bp optimizers sig", "sign"), ("bp layers gai", "gain")):
        assert tab(bp, line, PYTHONPATH=str(package)) == [offered]


def test_tab_reads_the_names_in_a_plugin_that_was_given(bp, ours: Path) -> None:
    assert tab(bp, f"bp layers --plugin {ours / 'ours.py'} gai") == ["gain"]
    assert tab(bp, "bp layers gai") == []


def tab(bp, line: str, **env: str) -> list[str]:
    """What the shell gets after TAB."""
    words = line.split(" ")
    return bp(_BP_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1), **env).out.split()


def test_a_kind_of_plot_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty_page.py").write_text(
        '"""Nothing."""\n\ndef draw(figure, views, options):\n    figure.text(0, 0, "x")\n'
    )
    before = set(plots.kinds())
    monkeypatch.setattr(plots, "__path__", [*plots.__path__, str(tmp_path)])
    if hasattr(plots.kinds, "cache_clear"):
        plots.kinds.cache_clear()
    assert set(plots.kinds()) == before | {"empty_page"}
