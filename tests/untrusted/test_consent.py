"""Runs of strangers: their code runs with consent only, and their configs ask nothing of this machine."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from backprop_cli import load_config
from backprop_cli.commands.train import train
from backprop_cli.config import recorded
from backprop_cli.errors import ConfigError
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.untrusted import consent

Bp = Callable[..., Any]
PLUGIN = """
from backprop_cli.plugins import Activation, activation
import numpy as np

@activation("{name}")
class Same(Activation):
    def forward(self, x, y, training): np.copyto(y, x)
    def backward(self, x, y, dy, dx): np.copyto(dx, dy)
"""
CONFIG = """
plugins: [mine.py]
dataset: {{source: sample, name: iris}}
architecture: [{{type: dense, units: 4}}, {name}, {{type: dense, units: 3, activation: softmax}}]
loss: sparse_categorical_crossentropy
trainer: {{epochs: 1}}
"""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BP_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config of one's own with a plugin that was never seen before."""
    name = f"same_{os.urandom(4).hex()}"
    (tmp_path / "mine.py").write_text(PLUGIN.format(name=name))
    (tmp_path / "c.yaml").write_text(CONFIG.format(name=name))
    return tmp_path / "c.yaml"


def test_what_was_trained_here_runs_again(bp: Bp, config: Path, state: Path) -> None:
    done = bp("train", config, "--run-dir", "run")
    assert done.code == 0, done.err
    assert f"running the plugin {config.parent / 'mine.py'}, which is Python code" in done.err
    again = bp("eval", "run", "--json")
    assert again.code == 0 and again.json["run_id"] == "run"
    assert "running the plugin" in again.err and "run/plugins/mine.py" in again.err
    assert oct(state.stat().st_mode & 0o077) == "0o0"


def test_a_stranger_s_run_needs_consent(bp: Bp, config: Path, state: Path) -> None:
    assert bp("train", config, "--run-dir", "run").code == 0
    shutil.rmtree(state)  # as on another machine
    for command in (["eval", "run"], ["check", "run/config.yaml"], ["train", "run/config.yaml"]):
        done = bp(*command)
        assert done.code == 2 and "--allow-plugins" in done.err and "mine.py" in done.err, done.err
        assert done.err.count("\n") == 1
    assert bp("runs", "compare", "run", "run").code == 0  # what can be shown without code
    assert bp("plot", "run", "-o", "p.svg").code == 0
    report = bp("report", "run", "-o", "r.html")
    assert report.code == 0 and "--allow-plugins" in (config.parent / "r.html").read_text()
    assert bp("eval", "run", "--allow-plugins").code == 0
    assert bp("eval", "run").code == 2  # for that one command
    assert bp("train", "--resume", "run", "--epochs", "2", "--allow-plugins").code == 0


def test_one_byte_changed_is_another_plugin(bp: Bp, config: Path, state: Path) -> None:
    assert bp("train", config, "--run-dir", "run").code == 0
    with (config.parent / "run/plugins/mine.py").open("a") as file:
        file.write("\n")
    assert bp("eval", "run").code == 2


def test_where_nothing_can_be_noted_training_goes_on(bp: Bp, config: Path, state: Path) -> None:
    state.write_text("no folder")
    done = bp("train", config, "--run-dir", "run")
    assert done.code == 0
    assert "to use it, add --allow-plugins" in done.err.replace("\n", " ")


@pytest.mark.parametrize(
    "line",
    [
        "extends: ../mine.yaml",
        "seed: ${env:BP_SEED}",
        "name: ${env:HOME}",
        "name: run ${seed}",
    ],
)
def test_a_run_s_config_asks_for_nothing(bp: Bp, tmp_path: Path, line: str) -> None:
    train(load_config("bp:xor", ["trainer.epochs=1"]), run_dir=tmp_path / "run")
    (tmp_path / "mine.yaml").write_text("seed: 3\n")
    path = tmp_path / "run/config.yaml"
    kept = [each for each in path.read_text().splitlines() if not each.startswith((line.partition(":")[0], "name:"))]
    path.write_text("\n".join([*kept, line]) + "\n")
    with pytest.raises(ConfigError, match="refused in a run's config"):
        recorded(path)
    for command in (["eval", "run"], ["check", "run/config.yaml"], ["runs", "compare", "run", "run"]):
        done = bp(*command, BP_SEED="4")
        assert done.code == 2 and "refused in a run's config" in done.err, (command, done.err)


@pytest.mark.parametrize("part", ["config.yaml", "metrics.jsonl", "checkpoints", "run.json"])
def test_links_do_not_lead_out_of_a_run(bp: Bp, tmp_path: Path, part: str) -> None:
    secret = tmp_path / "secret"
    train(load_config("bp:xor", ["trainer.epochs=1"]), run_dir=tmp_path / "run")
    (tmp_path / "run" / part).rename(secret)
    (tmp_path / "run" / part).symlink_to(secret)
    if secret.is_file():
        secret.write_text("TOP: SECRET\n")
    for command in (["eval", "run"], ["report", "run", "-o", "r.html"], ["runs", "show", "run"]):
        done = bp(*command)
        assert "SECRET" not in done.out + done.err and "Traceback" not in done.err
        assert command[0] != "eval" or part == "metrics.jsonl" or done.code != 0
    report = tmp_path / "r.html"
    assert not report.exists() or "SECRET" not in report.read_text()


class TestSecrets:
    """Values from the environment whose names say that they are secret are not written into the run."""

    def config(self, tmp_path: Path) -> Path:
        text = (
            "name: it\nseed: ${env:MY_KEY}\ndataset: {source: synthetic, name: xor, samples: '${env:SAMPLES}'}\n"
            "architecture: [{type: dense, units: 1}, sigmoid]\nloss: binary_crossentropy\n"
            "trainer: {epochs: '${seed}'}\n"
        )
        (tmp_path / "c.yaml").write_text(text)
        return tmp_path / "c.yaml"

    def test_references_stay(self, bp: Bp, tmp_path: Path, state: Path) -> None:
        given = {"MY_KEY": "9174035561", "SAMPLES": "20"}
        done = bp("train", self.config(tmp_path), "--run-dir", "run", "--set", "trainer.epochs=2", **given)
        assert done.code == 0, done.err
        assert "the run keeps ${env:MY_KEY} in place of its value" in " ".join(done.err.split())
        text = (tmp_path / "run/config.yaml").read_text()
        assert yaml.safe_load(text)["seed"] == "${env:MY_KEY}"
        assert "samples: 20" in text
        for path in (tmp_path / "run").rglob("*"):
            assert path.is_dir() or b"9174035561" not in path.read_bytes(), path

    def test_what_is_taken_from_a_secret_is_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MY_KEY", "3")
        monkeypatch.setenv("SAMPLES", "20")
        cfg = load_config(self.config(tmp_path))
        assert cfg.trainer.epochs == 3
        assert cfg.secrets == {("seed",): "${env:MY_KEY}", ("trainer", "epochs"): "${env:MY_KEY}"}

    @pytest.mark.long
    def test_one_s_own_run_looks_them_up_again(self, bp: Bp, tmp_path: Path, state: Path) -> None:
        given = {"MY_KEY": "9174035561", "SAMPLES": "20"}
        config = self.config(tmp_path)
        assert bp("train", config, "--run-dir", "run", "--set", "trainer.epochs=2", **given).code == 0
        assert bp("train", "--resume", "run", "--epochs", "3", **given).code == 0
        assert bp("train", "--resume", "run", "--epochs", "4", **given).code == 0
        assert "MY_KEY is not set" in bp("eval", "run").err
        assert bp("runs", "compare", "run", "run").code == 0
        shutil.rmtree(state)
        assert "refused in a run's config that was not written here" in bp("eval", "run", **given).err


def test_a_file_belongs_to_the_run_that_it_lies_in(tmp_path: Path) -> None:
    train(load_config("bp:xor", ["trainer.epochs=1"]), run_dir=tmp_path / "run")
    run = RunDirectory(tmp_path / "run").path
    (tmp_path / "link.yaml").symlink_to(run / "config.yaml")
    (tmp_path / "other").symlink_to(run)
    assert consent.run_of(run / "plugins/deep/er.py") == run
    assert consent.run_of(tmp_path / "link.yaml") == run
    assert consent.run_of(tmp_path / "other/config.yaml") == tmp_path / "other"
    assert consent.run_of(tmp_path / "c.yaml") is None


TABLE = """
dataset: {source: files, path: t.csv, target: kind, splits: {train: 60%, test: 40%}}
architecture: [{type: dense, units: 2, activation: softmax}]
loss: sparse_categorical_crossentropy
trainer: {epochs: 1}
"""


@pytest.fixture
def table_run(bp: Bp, tmp_path: Path, state: Path) -> Path:
    (tmp_path / "t.csv").write_text("x,y,kind\n" + "".join(f"{i},{i * i % 7},{'ab'[i % 2]}\n" for i in range(40)))
    (tmp_path / "c.yaml").write_text(TABLE)
    assert bp("train", "c.yaml", "--run-dir", "run").code == 0
    return tmp_path / "run"


@pytest.mark.parametrize("line", ["path: ../private.csv", "path: {private}"])
def test_a_file_that_a_stranger_names_is_read_with_consent_only(bp: Bp, table_run: Path, line: str) -> None:
    """A run whose config has been made to name a private file."""
    private = table_run.parent / "private.csv"
    private.write_text("TOPSECRET,kind\nHIDDEN,SECOND\n" * 10)
    config = table_run / "config.yaml"
    named = line.format(private=private)
    config.write_text(config.read_text().replace("path: ../t.csv", named))
    assert named in config.read_text()
    for command in (
        ["eval", "run"], ["report", "run", "-o", "r.html"], ["doctor", "run"], ["trace", "run"], ["explain", "run"],
        ["plot", "run", "--kind", "confusion"], ["check", "run/config.yaml"], ["train", "run/config.yaml"],
        ["data", "info", "run/config.yaml"], ["train", "--resume", "run", "--epochs", "2"],
        ["sweep", "run/config.yaml", "--set", "seed=1,2"], ["doctor", "run/config.yaml"],
    ):  # fmt: skip
        done = bp(*command)
        assert not {"TOPSECRET", "SECOND", "HIDDEN"} & set(re.findall(r"\w+", done.out + done.err)), (command, done)
        assert "Traceback" not in done.err
        if command[0] != "report":
            assert (done.code, "--allow-files" in done.out + done.err) == (2, True), (command, done)
    page = (table_run.parent / "r.html").read_text()
    assert "--allow-files" in page and "TOPSECRET" not in page
    assert "TOPSECRET" in bp("data", "info", "run/config.yaml", "--allow-files").out


@pytest.mark.long
def test_what_one_trained_reads_its_files(bp: Bp, table_run: Path, state: Path) -> None:
    assert bp("eval", "run").code == 0
    assert bp("train", "--resume", "run", "--epochs", "2").code == 0
    assert bp("eval", "run").code == 0, "its config says two epochs now, which is this user's doing"
    shutil.copytree(table_run, table_run.with_name("copy"))
    assert bp("eval", "copy").code == 0
    shutil.rmtree(state)  # the same run on another machine
    told = bp("eval", "run")
    assert told.code == 2 and told.err.count("\n") == 1 and "t.csv" in told.err
    assert bp("eval", "run", "--data", "t.csv").code == 0
    assert bp("eval", "run", "--allow-files").code == 0
    assert bp("eval", "run", "--allow-plugins").code == 0, "code could read them, too"
    assert bp("eval", "run").code == 2, "for that one command"


def test_weights_that_a_stranger_names(bp: Bp, tmp_path: Path, state: Path) -> None:
    train(load_config("bp:xor", ["trainer.epochs=1"]), run_dir=tmp_path / "run")
    config = tmp_path / "run/config.yaml"
    config.write_text(config.read_text() + f"weights: {tmp_path / 'private.safetensors'}\n")
    for command in (["check", "run/config.yaml"], ["train", "run/config.yaml"]):
        done = bp(*command)
        assert done.code == 2 and "--allow-files" in done.out + done.err, (command, done)


@pytest.mark.parametrize("logger", ["{type: mlflow, store: %s}", "trackio"])
def test_a_folder_that_a_stranger_s_logger_would_write_to(bp: Bp, tmp_path: Path, state: Path, logger: str) -> None:
    train(load_config("bp:xor", ["trainer.epochs=1"]), run_dir=tmp_path / "run")
    config = tmp_path / "run/config.yaml"
    logger = logger.replace("%s", str(tmp_path / "elsewhere"))
    config.write_text(config.read_text().replace("loggers: []", f"loggers: [{logger}]"))
    assert logger in config.read_text()
    for command in (["train", "--resume", "run", "--epochs", "2"], ["train", "run/config.yaml"]):
        done = bp(*command)
        assert done.code == 2 and "--allow-files" in done.err, (command, done)
    assert not (tmp_path / "elsewhere").exists()
