"""metrics.csv says what metrics.jsonl says; a logger that fails takes nothing with it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from backprop_cli import load_config
from backprop_cli.commands.resume import resume
from backprop_cli.commands.train import train
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.runs.metrics_log import read
from backprop_cli.training.loggers.csv import CSV
from tests.conftest import ROOT
from tests.training.test_loggers import PLUGIN

LOGGED = ["trainer.loggers=[csv]", "trainer.epochs=3"]


def written(folder: Path) -> list[dict[str, Any]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def test_every_row_also_of_a_run_that_goes_on(tmp_path: Path) -> None:
    train(load_config(ROOT / "configs/moons.yaml", LOGGED), run_dir=tmp_path / "run")
    run = RunDirectory(tmp_path / "run")
    with (run.path / "metrics.csv").open("a") as file:
        file.write("4,100,9,0.01,0,0,0,0\n")  # of an epoch after the checkpoint
    resume(run, epochs=5)
    assert written(run.path) == list(read(run.metrics))
    assert [row["epoch"] for row in written(run.path)] == [1, 2, 3, 4, 5]


def test_a_number_that_comes_later_gets_a_column(tmp_path: Path) -> None:
    made = CSV()
    made.open(tmp_path, 0)
    made.write({"step": 1, "train/loss": 0.5})
    made.write({"step": 2, "train/loss": 0.25, "a, b": None})
    made.write({"step": 3, "train/loss": 0.125, "a, b": 7})
    assert (tmp_path / "metrics.csv").read_text() == 'step,train/loss,"a, b"\n1,0.5,\n2,0.25,\n3,0.125,7\n'


FAILING = {
    "open": ('self.handle = open(folder / self.file, "a")', "raise OSError('no space')"),
    "write": ('self.handle.write(json.dumps(row["epoch"]) + "\\n")', "raise RuntimeError('no server')"),
    "close": ('self.handle.write("closed\\n")', "raise ValueError('no end')"),
}


@pytest.mark.parametrize("hook", FAILING)
def test_one_that_fails_takes_neither_the_run_nor_the_others_with_it(tmp_path: Path, hook: str) -> None:
    assert FAILING[hook][0] in PLUGIN
    (tmp_path / "lines.py").write_text(PLUGIN.replace(*FAILING[hook]))
    text = (ROOT / "configs/xor.yaml").read_text() + "\nplugins: [lines.py]\n"
    (tmp_path / "c.yaml").write_text(text)
    said: list[str] = []
    overrides = ["trainer.loggers=[lines, csv]", "trainer.epochs=3"]
    done = train(load_config(tmp_path / "c.yaml", overrides), run_dir=tmp_path / "run", warn=said.append)
    assert done["status"] == "completed"
    assert len(written(tmp_path / "run")) == 3 == len(list(read(tmp_path / "run/metrics.jsonl")))
    (failed,) = [each for each in said if "logger" in each]
    assert "lines has failed" in failed and any(each in failed for each in ("no space", "no server", "no end"))
