"""Callbacks that a config names: `stop_at`, and one of a plugin with state, a row and weights of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop_cli import load_config
from backprop_cli.commands.resume import resume
from backprop_cli.commands.train import train
from backprop_cli.errors import ConfigError
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.runs.metrics_log import read

PLUGIN = '''
from typing import Annotated
import numpy as np
from backprop_cli.plugins import Doc, Loop, NamedCallback, Row, callback, slot


@callback("shrink")
class Shrink(NamedCallback):
    """Multiplies all weights after every epoch, and counts how often."""

    by: Annotated[float, Doc("factor of the weights")] = 0.5

    done: int = slot()

    def start(self, loop: Loop) -> None:
        self.done = self.done or 0

    def epoch(self, loop: Loop, row: Row) -> None:
        np.multiply(loop.network.store.values, self.by, out=loop.network.store.values)
        self.done += 1
        row[f"shrunk_{self.position}"] = self.done

    def state_dict(self):
        return {}, {"done": self.done}

    def load_state_dict(self, arrays, values):
        self.done = values["done"]
'''
CONFIG = """\
plugins: [shrink.py]
dataset: {source: synthetic, name: xor}
architecture: [{type: dense, units: 4, activation: tanh}, {type: dense, units: 1, activation: sigmoid}]
loss: binary_crossentropy
optimizer: {type: adam, learning_rate: 0.05}
trainer: {epochs: 400, batch_size: 4, metrics: [accuracy], callbacks: CALLBACKS}
"""


def config(folder: Path, callbacks: str) -> Path:
    (folder / "shrink.py").write_text(PLUGIN)
    (folder / "c.yaml").write_text(CONFIG.replace("CALLBACKS", callbacks))
    return folder / "c.yaml"


def rows(folder: Path) -> list[dict[str, Any]]:
    return list(read(RunDirectory(folder).metrics))


@pytest.mark.parametrize(("monitor", "value"), [("train/accuracy", 1.0), ("train/loss", 0.2)])
@pytest.mark.parametrize("beside", ["", "{type: shrink, by: 1}, "])  # which is told of every epoch when it ends
def test_training_ends_with_the_first_epoch_that_is_good_enough(
    tmp_path: Path, monitor: str, value: float, beside: str
) -> None:
    path = config(tmp_path, f"[{beside}{{type: stop_at, monitor: {monitor}, value: {value}}}]")
    done = train(load_config(path), run_dir=tmp_path / "run")
    course = [row[monitor] for row in rows(tmp_path / "run")]
    good = [number >= value if monitor.endswith("accuracy") else number <= value for number in course]
    assert done["epochs"] == len(course) < 400
    assert good[-1] and not any(good[:-1])
    whole = train(load_config(path, [f"trainer.epochs={len(course)}", "trainer.callbacks=[]"]), run_dir=tmp_path / "w")
    assert whole["metrics"]["train/loss"] == done["metrics"]["train/loss"]


def test_a_number_that_is_not_measured_is_a_mistake_of_the_config(tmp_path: Path) -> None:
    path = config(tmp_path, "[{type: stop_at, monitor: train/acuracy, value: 1}]")
    with pytest.raises(ConfigError, match=r"c\.yaml:\d+:\d+: trainer\.callbacks\.0\.monitor: .*train/accuracy"):
        load_config(path)


def test_a_plugins_callback_changes_weights_and_rows_and_goes_on(tmp_path: Path) -> None:
    path = config(tmp_path, "[shrink, {type: shrink, by: 0.9}]")
    cfg = load_config(path)
    train(cfg, run_dir=tmp_path / "whole")
    assert [row["shrunk_0"] for row in rows(tmp_path / "whole")] == list(range(1, 401))
    train(cfg, run_dir=tmp_path / "again")  # the same config begins anew
    assert rows(tmp_path / "again")[0]["shrunk_1"] == 1
    train(load_config(path, ["trainer.epochs=150"]), run_dir=tmp_path / "run")
    resume(RunDirectory(tmp_path / "run"), epochs=400)
    last, whole = rows(tmp_path / "run")[-1], rows(tmp_path / "whole")[-1]
    assert {key: number for key, number in last.items() if key != "time"} == {
        key: number for key, number in whole.items() if key != "time"
    }
    assert np.isfinite(last["train/loss"])


def test_the_list_of_callbacks(bp) -> None:
    assert [entry["name"] for entry in json.loads(bp("callbacks", "--json").out)] == ["stop_at"]
    assert "good enough" in bp("callbacks", "stop_at").out
