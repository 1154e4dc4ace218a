"""`trainer.diagnostics`: what is written, that it changes nothing, and that off is off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop_cli import build, load_config
from backprop_cli.commands.resume import resume
from backprop_cli.commands.train import train
from backprop_cli.errors import DivergedError, InterruptedRunError
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.training.callbacks.diagnostics import Diagnostics
from backprop_cli.training.loop import Callback
from tests.conftest import ROOT
from tests.reliability.compare import EVERYTHING, outcome
from tests.training.test_resume import StopAt

MOONS = ROOT / "configs/moons.yaml"


def diagnostics(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "diagnostics.jsonl").read_text().splitlines()]


def test_a_row_holds_what_the_arrays_say() -> None:
    """Recomputed the slow way, of a network whose arrays are all readable."""
    overrides = ["architecture.0.activation=relu", "trainer.epochs=1", "optimizer=sgd", "optimizer.clip_norm=0.01"]
    prepared = build.prepare(load_config(MOONS, overrides), observe=True)
    rows: list[dict[str, Any]] = []
    seen: list[dict[str, Any]] = []

    class Watch(Diagnostics):
        def _look(self, loop: Any) -> Any:
            network = loop.network
            seen.append({
                "gradients": {name: each.copy() for name, each in network.gradients.items()},
                "weights": {name: each.copy() for name, each in network.parameters.items()},
                "values": {name: each.copy() for name, each in network.outputs.items()},
            })  # fmt: skip
            return super()._look(loop)

        def step(self, loop: Any, loss: float) -> None:
            seen[-1]["after"] = {name: each.copy() for name, each in loop.network.parameters.items()}
            super().step(loop, loss)

    loop, _ = build.training(prepared, [Watch(rows.append, 1)])
    loop.run()
    assert [row["step"] for row in rows] == list(range(1, loop.step + 1))
    for row, arrays in zip(rows, seen, strict=True):
        for name, layer in row["layers"].items():
            g, w, after = (
                np.concatenate([arrays[kind][f"{name}.{part}"].ravel() for part in ("W", "b")]).astype(np.float64)
                for kind in ("gradients", "weights", "after")
            )
            y = arrays["values"][name]
            assert layer["gradient_norm"] == pytest.approx(np.linalg.norm(g), rel=1e-4)
            assert layer["weight_norm"] == pytest.approx(np.linalg.norm(w), rel=1e-4)
            assert layer["gradient_ratio"] == pytest.approx(np.linalg.norm(g) / np.linalg.norm(w), rel=1e-4)
            assert layer["update_ratio"] == pytest.approx(np.linalg.norm(after - w) / np.linalg.norm(w), rel=1e-2)
            assert layer["mean"] == pytest.approx(y.mean(), abs=1e-5)
            assert layer["std"] == pytest.approx(y.std(), rel=1e-4)
        assert row["layers"]["dense_1"]["dead"] == pytest.approx(1 - (arrays["values"]["dense_1"] > 0).any(0).mean())
        assert row["layers"]["dense_2"]["saturated"] == (np.abs(arrays["values"]["dense_2"]) > 0.98).mean()
        assert "dead" not in row["layers"]["dense_2"] and "saturated" not in row["layers"]["dense_3"]


def test_an_output_that_was_written_over_is_not_reported() -> None:
    layers = "[{type: dense, units: 8}, relu, {type: dropout, rate: 0.5}, {type: dense, units: 2, activation: softmax}]"
    prepared = build.prepare(load_config(MOONS, [f"architecture={layers}", "trainer.epochs=1"]))
    rows: list[dict[str, Any]] = []
    loop, _ = build.training(prepared, [Diagnostics(rows.append)])
    loop.run()
    assert "mean" not in rows[0]["layers"]["dense_1"], "relu works in place on what dense_1 wrote"
    assert "gradient_norm" in rows[0]["layers"]["dense_1"]
    assert {"mean", "std", "dead"} <= set(rows[0]["layers"]["relu_1"])


def test_it_changes_no_bit_and_off_means_not_there(tmp_path: Path) -> None:
    ends = {}
    for setting in ("true", "false", "{every: 1}"):
        path = tmp_path / setting
        train(load_config(EVERYTHING, [f"trainer.diagnostics={setting}"]), run_dir=path)
        ends[setting] = outcome(path)
        ends[setting]["values"].pop("DiagnosticsLog", None)
        assert (path / "diagnostics.jsonl").exists() == (setting != "false")
    assert ends["true"] == ends["false"] == ends["{every: 1}"]
    assert [row["step"] for row in diagnostics(tmp_path / "true")] == [1, 2, 4, 8]
    assert [row["step"] for row in diagnostics(tmp_path / "{every: 1}")] == list(range(1, 13))
    prepared = build.prepare(load_config(EVERYTHING, ["trainer.diagnostics=false"]))
    loop, _ = build.training(prepared)
    assert not any(isinstance(each, Diagnostics) for each in loop.callbacks)


@pytest.mark.large
@pytest.mark.parametrize("step", [1, 5, 6, 7])
def test_a_run_that_went_on_has_the_rows_of_one_that_never_stopped(tmp_path: Path, step: int) -> None:
    cfg = load_config(EVERYTHING, ["trainer.diagnostics={every: 3}"])
    train(cfg, run_dir=tmp_path / "unbroken")
    with pytest.raises(InterruptedRunError):
        train(cfg, run_dir=tmp_path / "stopped", callbacks=[StopAt(step)])
    with (tmp_path / "stopped/diagnostics.jsonl").open("a") as file:
        file.write('{"epoch": 9, "step": 999, "layers": {}}\n{"epo')  # later than the checkpoint, and torn
    resume(RunDirectory(tmp_path / "stopped"))
    assert diagnostics(tmp_path / "stopped") == diagnostics(tmp_path / "unbroken")
    assert [row["step"] for row in diagnostics(tmp_path / "stopped")] == [1, 2, 3, 6, 9, 12]


def test_a_diverged_run_says_where(tmp_path: Path) -> None:
    class Poison(Callback):
        def step(self, loop: Any, loss: float) -> None:
            if loop.step == 5:
                loop.network.parameters["dense_2.W"][0, 0] = np.nan

    with pytest.raises(DivergedError):
        train(load_config(MOONS), run_dir=tmp_path / "run", callbacks=[Poison()])
    last = diagnostics(tmp_path / "run")[-1]
    assert last["step"] == 6 and last["loss"] is None
    assert last["nonfinite"]["layer"] == "dense_2"
