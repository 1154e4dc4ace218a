"""Searches on Optuna's real journal: the same trials again, also after a kill; pruning; what is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.search
AXES = ["--set", "optimizer.learning_rate=log:1e-3..1e-1", "--set", "architecture.0.units=log-int:2..32"]
SWEEP = ["sweep", "configs/moons.yaml", *AXES, "--set", "trainer.epochs=3", "--quiet", "--trials", "13"]


def trials(folder: Path) -> list[tuple[dict[str, str], str, Any]]:
    """(values, status, best) of every trial, in the order of sweep.json."""
    rows = json.loads((folder / "sweep.json").read_text())["trials"]
    best = [json.loads((folder / row["trial"] / "run.json").read_text())["best"] for row in rows]
    return [(row["varied"], row["status"], each) for row, each in zip(rows, best, strict=True)]


@pytest.mark.parametrize("options", [["--search", "tpe", "--prune", "median"], ["--search", "cma-es"]])
def test_a_search_that_is_killed_goes_on_as_if_it_had_not_been(
    bp, tmp_path: Path, cache: Path, options: list[str]
) -> None:
    whole = bp(*SWEEP, *options, "--name", "whole", "--json")
    assert whole.code == 0, whole.err
    assert whole.json["best"]["trial"] in [each["trial"] for each in whole.json["trials"]]
    killed = tmp_path / "runs" / "killed"
    command = [sys.executable, "-m", "backprop_cli", *SWEEP, *options, "--name", "killed", "--resume"]
    for done in (2, 6, 11):
        process = subprocess.Popen(
            command, cwd=tmp_path, env=os.environ | {"BP_CACHE": str(cache)}, start_new_session=True
        )
        while sum(path.is_dir() for path in killed.glob("*")) < done and process.poll() is None:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    with (killed / "optuna.journal").open("a") as file:
        file.write('{"op_code": 4, "wor')  # as a write that was cut off leaves it
    end = bp(*SWEEP, *options, "--name", "killed", "--resume")
    assert end.code == 0, end.err
    assert trials(killed) == trials(tmp_path / "runs" / "whole")


def test_a_pruned_trial_is_a_run_that_can_go_on(bp, tmp_path: Path) -> None:
    rates = ["--set", "optimizer.learning_rate=0.1,0.05,0.01,0.005,0.001,1e-5,1e-6", "--set", "trainer.epochs=9"]
    done = bp("sweep", "configs/moons.yaml", *rates, "--prune", "hyperband", "--json", "--quiet")
    assert done.code == 0, done.err
    status = {each["varied"]["optimizer.learning_rate"]: each["status"] for each in done.json["trials"]}
    assert "pruned" in status.values()
    assert set(status.values()) <= {"completed", "pruned"}
    assert status[done.json["best"]["varied"]["optimizer.learning_rate"]] == "completed"
    pruned = next(each for each in done.json["trials"] if each["status"] == "pruned")
    assert pruned["metrics"]["epoch"] < 9
    info = json.loads((Path(tmp_path / pruned["run_dir"]) / "run.json").read_text())
    assert info["status"] == "pruned"
    assert info["reason"].startswith(f"pruned after epoch {pruned['metrics']['epoch']} of 9")
    again = bp("sweep", "configs/moons.yaml", *rates, "--prune", "hyperband", "--resume", "--json", "--quiet")
    assert again.json["trials"] == done.json["trials"]
    longer = bp("train", "--resume", pruned["run_dir"], "--json")
    assert (longer.code, longer.json["status"], longer.json["epochs"]) == (0, "completed", 9)


def test_several_goals_have_a_front(bp) -> None:
    done = bp(*SWEEP, "--search", "tpe", "--monitor", "validation/accuracy,parameters", "--json")
    assert done.code == 0, done.err
    goals = [{"name": "validation/accuracy", "maximize": True}, {"name": "parameters", "maximize": False}]
    assert (done.json["goals"], done.json["best"]) == (goals, None)
    assert set(done.json["front"]) <= {each["trial"] for each in done.json["trials"]}
    assert done.json["front"]


def test_optuna_reads_the_journal(bp, tmp_path: Path) -> None:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    done = bp("sweep", "configs/moons.yaml", "--set", "optimizer.type=sgd,adam", "--set", "trainer.epochs=1",
              "--set", "optimizer.momentum=uniform:0..0.9 if optimizer.type=sgd", "--search", "tpe", "--trials", "6",
              "--json", "--quiet")  # fmt: skip
    assert done.code == 0, done.err
    assert all(("optimizer.momentum" in each["varied"]) == (each["varied"]["optimizer.type"] == "sgd")
               for each in done.json["trials"])  # fmt: skip
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "runs/moons-sweep/optuna.journal")))
    study = optuna.load_study(study_name="bp", storage=storage)
    assert [each.state.name for each in study.trials] == ["COMPLETE"] * 6
    assert study.best_value == done.json["best"]["value"]


def test_a_budget_ends_a_search_and_begins_nothing_more(bp) -> None:
    done = bp(*SWEEP[:-2], "--search", "random", "--budget", "1s", "--json")
    assert done.code == 0, done.err
    assert 0 < len(done.json["trials"]) < 100
    assert {each["status"] for each in done.json["trials"]} == {"completed"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--search", "tpe"], "say when with --trials N or --budget 30m"),
        (["--search", "tpe", "--set", "seed=0..3", "--trials", "3"], "would choose the luckiest one"),
        (["--search", "tpe", "--folds", "3", "--trials", "3"], "would choose the luckiest one"),
        (["--search", "cma-es", "--trials", "3"], "cma-es needs two axes or more"),
        (["--search", "cma-es", "--trials", "3", "--set", "optimizer.type=adam,sgd"], "cma-es draws numbers"),
        (["--prune", "median", "--monitor", "validation/loss,parameters", "--trials", "3"], "needs one goal"),
        (["--search", "tpe", "--trials", "3", "--only", "failed"], "expected --resume"),
        (["--search", "tpe", "--trials", "3", "--monitor", "validation/los"], "did you mean 'validation/loss'"),
    ],
)
def test_what_cannot_be_searched_is_one_line(bp, options: list[str], said: str) -> None:
    done = bp("sweep", "configs/moons.yaml", *AXES[:2], *options)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1), done.err
    assert said in done.err


@pytest.mark.parametrize("options", [["--search-seed", "1"], ["--prune", "median"], ["--maximize"]])
def test_the_journal_of_another_search_is_refused(bp, tmp_path: Path, options: list[str]) -> None:
    small = [*SWEEP[:-1], "1", "--search", "tpe", "--resume"]
    assert bp(*small).code == 0
    journal = tmp_path / "runs/moons-sweep/optuna.journal"
    before = journal.read_bytes()
    done = bp(*small, *options)
    assert (done.code, done.err.count("\n")) == (2, 1), done.err
    assert "is the journal of another search: " in done.err
    assert journal.read_bytes() == before
    journal.write_text('{"op_code": 0, "study_name": "x", "worker_id": "y"}\n')
    done = bp(*small)
    assert (done.code, done.err.count("\n")) == (1, 1), done.err
    assert "not a journal that Optuna can read" in done.err


def test_two_searches_do_not_share_a_journal(bp, tmp_path: Path) -> None:
    import fcntl

    folder = tmp_path / "runs/moons-sweep"
    folder.mkdir(parents=True)
    with (folder / "optuna.journal").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = bp(*SWEEP, "--search", "tpe")
    assert (done.code, done.err.count("\n")) == (1, 1), done.err
    assert "another process searches in" in done.err


def test_without_optuna_it_says_what_to_install(bp, tmp_path: Path) -> None:
    (tmp_path / "optuna.py").write_text("raise ModuleNotFoundError('no', name='optuna')")
    done = bp(*SWEEP, "--search", "tpe", PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert (done.code, done.err.count("\n")) == (2, 1), done.err
    assert "pip install 'backprop-cli[search]'" in done.err
