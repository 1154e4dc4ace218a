"""What MLflow, Weights & Biases and Trackio have written, read back: the rows of metrics.jsonl, and nothing printed."""

from __future__ import annotations

import json
import os
import sqlite3
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backprop_cli import load_config
from backprop_cli.commands.train import train
from backprop_cli.errors import UsageError
from backprop_cli.runs.metrics_log import read
from backprop_cli.training.loggers.base import measured
from tests.conftest import NO_NETWORK, ROOT

Points = set[tuple[str, int, float]]
BLOCK = 32768  # bytes of a block in wandb's files, which are logs as LevelDB writes them


def mlflow(folder: Path) -> Points:
    """A line for each value: milliseconds, value, step."""
    found = set()
    (metrics,) = (folder / "mlruns").glob("*/*/metrics")
    for path in metrics.rglob("*"):
        for line in path.read_text().splitlines() if path.is_file() else ():
            _, value, step = line.split()
            found.add((path.relative_to(metrics).as_posix(), int(step), float(value)))
    return found


def trackio(folder: Path) -> Points:
    with sqlite3.connect(folder / "trackio/bp.db") as connection:
        rows = connection.execute("select step, metrics, run_id from metrics").fetchall()
    assert len({run for _, _, run in rows}) == 1
    return {(name, step, value) for step, text, _ in rows for name, value in json.loads(text).items()}


def wandb(folder: Path) -> Points:
    from wandb.proto.wandb_internal_pb2 import Record

    found = set()
    for path in folder.glob("run/wandb/offline-run-*/*.wandb"):
        for data in _records(path.read_bytes()):
            record = Record.FromString(data)
            if record.HasField("history"):
                row = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
                step = record.history.step.num
                found |= {(name, step, value) for name, value in row.items() if not name.startswith("_")}
    return found


def _records(data: bytes) -> list[bytes]:
    """After 7 bytes of header: checksum (4), length (2), whole, first, middle or last part of a record (1), bytes."""
    found, at, whole = [], 7, b""
    while at + 7 <= len(data):
        if BLOCK - at % BLOCK < 7:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        whole = (b"" if kind in (1, 2) else whole) + data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            found.append(whole)
    return found


READERS = {"mlflow": mlflow, "trackio": trackio, "wandb": wandb}


def bp(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Without a network: none of them may need one."""
    env = os.environ | {"TRACKIO_DIR": str(folder / "trackio"), "HOME": str(folder)}
    command = [*NO_NETWORK, sys.executable, "-m", "backprop_cli", *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.loggers
@pytest.mark.parametrize("name", READERS)
def test_it_has_every_number_also_of_a_run_that_goes_on(tmp_path: Path, name: str) -> None:
    first = bp(tmp_path, "train", "bp:moons", "--run-dir", "run", "--epochs", "2", "--set", f"trainer.loggers=[{name}]")
    again = bp(tmp_path, "train", "--resume", "run", "--epochs", "3")
    for done in (first, again):
        assert (done.returncode, done.stdout) == (0, "run\n"), done.stderr
        assert "failed" not in done.stderr
    rows = list(read(tmp_path / "run/metrics.jsonl"))
    assert len(rows) == 3
    expected = {(key, row["step"], value) for row in rows for key, value in measured(row).items()}
    assert READERS[name](tmp_path) == expected


@pytest.mark.loggers
@pytest.mark.parametrize("name", READERS)
def test_any_sign_may_stand_in_the_name_of_a_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / 'it\'s 100%_a "run"'
    folder.mkdir()
    bp(folder, "train", "bp:moons", "--run-dir", "run", "--epochs", "2", "--set", f"trainer.loggers=[{name}]")
    again = bp(folder, "train", "--resume", "run", "--epochs", "3")
    assert again.returncode == 0 and "failed" not in again.stderr, again.stderr
    rows = list(read(folder / "run/metrics.jsonl"))
    assert READERS[name](folder) == {(key, row["step"], value) for row in rows for key, value in measured(row).items()}


@pytest.mark.parametrize("name", READERS)
def test_without_the_package_nothing_is_written(tmp_path: Path, monkeypatch: Any, name: str) -> None:
    for module in (name, f"{name}.tracking"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=rf"backprop-cli\[{name}\]"):
        train(load_config(ROOT / "configs/moons.yaml", [f"trainer.loggers=[{name}]"]), runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
