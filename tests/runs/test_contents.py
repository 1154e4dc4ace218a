"""Runs with wrong values in their files: said, listed as damaged, and no other run suffers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backprop_cli.errors import CheckpointError, DamagedError
from backprop_cli.runs.checkpoints.checkpoint import CheckpointFile
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.runs.listing import overview
from backprop_cli.runs.metrics_log import last, read
from tests.checkpoints import Checkpoint


def made(path: Path, **info: Any) -> Path:
    path.mkdir(parents=True)
    (path / "run.json").write_text(json.dumps({"id": path.name, "status": "completed", **info}))
    return path


def test_a_run_with_wrong_values_is_listed_as_damaged(tmp_path: Path) -> None:
    made(tmp_path / "good", metrics={"epoch": 3})
    bad = made(tmp_path / "bad", metrics=["x"])
    assert {row["run_id"]: (row["status"], row["epochs"]) for row in overview(tmp_path)} == {
        "good": ("completed", 3),
        "bad": ("damaged", 0),
    }
    with pytest.raises(
        DamagedError, match=r"bad/run\.json: metrics: expected an object, got \['x'\]; the run is damaged"
    ):
        RunDirectory(bad)


def test_wrong_lines_of_a_log_are_left_out_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = b'{"epoch": 1, "step": 1, "train/loss": 0.5}\n'
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(good + b'{"epoch": 2, "step": 2, "train/loss": "\\u001b[31m"}\n[]\n' + good.replace(b"1,", b"3,"))
    assert [row["epoch"] for row in read(path)] == [1, 3]
    said = capsys.readouterr().err
    assert "metrics.jsonl:2: train/loss: expected a number, got '\\x1b[31m' (and 1 more line)" in said
    assert said.count("\n") == 1


def test_the_torn_last_line_of_a_killed_training_is_no_damage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"epoch": 1, "step": 1}\n{"epoch": 2, "st')
    assert [row["epoch"] for row in read(path)] == [1]
    assert not capsys.readouterr().err
    assert last(path) == {"epoch": 1, "step": 1}


def test_wrong_values_of_a_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    Checkpoint({}, {"epoch": 1, "optimizer": {"iteration": -1}}).write(path)
    with pytest.raises(CheckpointError, match=r"optimizer\.iteration: expected at least 0, got -1"):
        CheckpointFile(path)


def test_a_damaged_run_can_be_removed(tmp_path: Path, bp: Callable[..., Any]) -> None:
    made(tmp_path / "runs" / "bad", metrics=3)
    done = bp("runs", "rm", "bad")
    assert (done.code, done.out) == (0, f"{tmp_path}/runs/bad\n")
    assert not (tmp_path / "runs" / "bad").exists()
