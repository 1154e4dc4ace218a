"""A logger that a plugin brings is one like those that come with bp."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT

PLUGIN = '''
import json
from typing import Annotated
from backprop_cli.errors import UsageError
from backprop_cli.plugins import Doc, Logger, logger, slot


@logger("lines")
class Lines(Logger):
    """A line of JSON for every row, in a file of the run directory."""

    file: Annotated[str, Doc("name of the file in the run directory")] = "lines.txt"

    handle: object = slot()

    def check(self):
        if "/" in self.file:
            raise UsageError(f"trainer.loggers: lines takes a name without folders, got {self.file!r}")

    def open(self, folder, step):
        self.handle = open(folder / self.file, "a")
        self.handle.write(f"after step {step}\\n")

    def write(self, row):
        self.handle.write(json.dumps(row["epoch"]) + "\\n")

    def close(self):
        self.handle.write("closed\\n")
        self.handle.close()
'''


def config(tmp_path: Path) -> str:
    (tmp_path / "lines.py").write_text(PLUGIN)
    text = (ROOT / "configs/xor.yaml").read_text() + "\nplugins: [lines.py]\n"
    (tmp_path / "c.yaml").write_text(text)
    return str(tmp_path / "c.yaml")


def test_a_plugins_logger_hears_of_every_epoch_and_of_a_run_that_goes_on(bp, tmp_path: Path) -> None:
    path = config(tmp_path)
    run = tmp_path / "run"
    done = bp("train", path, "--epochs", "2", "--run-dir", run, "--quiet", "--set", "trainer.loggers=[lines]")
    assert done.code == 0, done.err
    assert bp("train", "--resume", run, "--epochs", "3", "--quiet").code == 0
    said = (run / "lines.txt").read_text().splitlines()
    assert [line for line in said if line.isdigit()] == ["1", "2", "3"]
    assert said.count("closed") == 2 and sum(line.startswith("after step") for line in said) == 2


def test_it_is_checked_described_and_in_the_schema(bp, tmp_path: Path) -> None:
    path = config(tmp_path)
    wrong = bp("check", path, "--set", "trainer.loggers=[{type: lines, fil: x}]")
    assert wrong.code == 2 and "did you mean 'file'" in wrong.err
    refused = bp("train", path, "--quiet", "--set", "trainer.loggers=[{type: lines, file: a/b}]")
    assert refused.code == 2 and "without folders" in refused.err and not (tmp_path / "runs").exists()
    plugin = str(tmp_path / "lines.py")
    assert "name of the file" in bp("loggers", "lines", "--plugin", plugin).out
    schema = json.loads(bp("config", "schema", "--plugin", plugin).out)
    assert schema["definitions"]["logger.lines"]["properties"]["file"]["description"].startswith("name of the file")


def secret_by_link(run: Path) -> None:
    (run.parent / "secret.csv").write_text("step,SECRET\n1,HIDDEN\n")
    (run / "metrics.csv").symlink_to(run.parent / "secret.csv")


@pytest.mark.parametrize("put", [secret_by_link, lambda run: os.mkfifo(run / "metrics.csv")])
def test_the_csv_logger_reads_and_writes_no_other_file(bp, tmp_path: Path, put: Callable[[Path], object]) -> None:
    """What a stranger's run holds in the place of metrics.csv."""
    run = tmp_path / "run"
    logged = ("--quiet", "--set", "trainer.loggers=[csv]")
    assert bp("train", ROOT / "configs/xor.yaml", "--epochs", "2", "--run-dir", run, *logged).code == 0
    (run / "metrics.csv").unlink()
    put(run)
    done = bp("train", "--resume", run, "--epochs", "3")
    assert done.code == 0 and "the logger csv has failed and gets nothing more" in " ".join(done.err.split())
    secret = tmp_path / "secret.csv"
    assert not secret.exists() or secret.read_text() == "step,SECRET\n1,HIDDEN\n"
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 3, "the run itself goes on"
