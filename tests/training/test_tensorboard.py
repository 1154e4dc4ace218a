"""Event files say what metrics.jsonl says, also after a run was stopped and went on."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event

from backprop_cli import load_config
from backprop_cli.commands.resume import resume
from backprop_cli.commands.train import train
from backprop_cli.errors import UsageError
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.runs.metrics_log import read
from tests.conftest import ROOT

LOGGED = ["trainer.loggers=[tensorboard]", "trainer.epochs=3"]


def events(folder: Path) -> list[Event]:
    """Records are: length (8 bytes), its checksum (4), the event, its checksum (4)."""
    found = []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            found.append(Event.FromString(data[12 : 12 + length]))
            data = data[16 + length :]
    return found


def scalars(folder: Path) -> dict[tuple[str, int], float]:
    return {(value.tag, each.step): value.simple_value for each in events(folder) for value in each.summary.value}


def rows(folder: Path) -> dict[tuple[str, int], float]:
    written = read(RunDirectory(folder).metrics)
    return {
        (name, row["step"]): pytest.approx(value)
        for row in written
        for name, value in row.items()
        if name not in ("epoch", "step", "time")
    }


def test_every_number_of_every_row(tmp_path: Path) -> None:
    train(load_config(ROOT / "configs/moons.yaml", LOGGED), run_dir=tmp_path / "run")
    found = scalars(tmp_path / "run")
    assert {tag for tag, _ in found} >= {"train/loss", "validation/loss", "learning_rate"}
    assert found == rows(tmp_path / "run")


def test_a_run_that_goes_on(tmp_path: Path) -> None:
    train(load_config(ROOT / "configs/moons.yaml", LOGGED), run_dir=tmp_path / "run")
    resume(RunDirectory(tmp_path / "run"), epochs=5)
    assert scalars(tmp_path / "run") == rows(tmp_path / "run")
    starts = [each for each in events(tmp_path / "run") if each.session_log.status == each.session_log.START]
    assert len(starts) == 1 and starts[0].step == list(read(RunDirectory(tmp_path / "run").metrics))[2]["step"] + 1


def test_without_the_package_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(UsageError, match=r"backprop-cli\[tensorboard\]"):
        train(load_config(ROOT / "configs/moons.yaml", LOGGED), runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_an_unknown_logger_is_a_mistake_of_the_config(bp) -> None:
    done = bp("check", "configs/moons.yaml", "--set", "trainer.loggers=[wandbb]")
    assert done.code == 2
    assert "did you mean 'wandb'" in done.err and "Traceback" not in done.err
