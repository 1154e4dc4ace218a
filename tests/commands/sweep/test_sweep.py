"""`bp sweep`: what is varied, that trials are found again, that one failure stops nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backprop_cli.commands.sweep import checks
from backprop_cli.commands.sweep.trials import plan
from backprop_cli.errors import UsageError
from tests.conftest import ROOT


def test_a_grid_is_the_product_of_its_axes() -> None:
    made = plan(["a=1,2", "seed=0..2", "b=x"])
    assert [each.varied for each in made] == [{"a": a, "seed": s} for a in "12" for s in "012"]
    assert all("b=x" in each.overrides for each in made)
    assert len({each.id for each in made}) == 6


def test_commas_inside_brackets_do_not_split() -> None:
    assert [t.varied["m"] for t in plan(["m=[1,2],[3,4]"])] == ["[1,2]", "[3,4]"]
    assert [t.varied["t"] for t in plan(["t={type: adam, beta_1: 0.9},sgd"])] == ["{type: adam, beta_1: 0.9}", "sgd"]


def test_a_random_search_is_seeded_and_stays_within_bounds() -> None:
    first, again, other = (plan(["lr=log:1e-4..1e-1", "n=1,2"], 20, seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert all(1e-4 <= float(each.varied["lr"]) <= 1e-1 for each in first)


@pytest.mark.parametrize(
    "settings", [["a=1"], ["a=log:0.1..0.2"], ["a=log:-1..1"], ["a=5..2"], ["a=0..999999"], ["a=uniform:x..2"]]
)
def test_what_cannot_be_swept_is_refused(settings: list[str]) -> None:
    with pytest.raises(UsageError):
        plan(settings)


def test_one_trial_is_built_however_slow_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "PATIENCE", 0.0)
    checked = checks.check_trials(ROOT / "configs/xor.yaml", plan(["seed=0,1"]))
    assert "train/loss" in checked.columns


def test_a_sweep_as_a_process(bp) -> None:
    grid = ["sweep", "configs/moons.yaml", "--set", "trainer.epochs=1", "--set", "optimizer.learning_rate=0.1,0.01,nan"]
    refused = bp(*grid)
    assert refused.code == 2
    assert "learning_rate" in refused.err
    grid[-1] = "optimizer.learning_rate=0.1,0.01"
    first = bp(*grid, "--jobs", "2", "--json", "--monitor", "validation/accuracy")
    assert first.code == 0, first.err
    assert [trial["status"] for trial in first.json["trials"]] == ["completed"] * 2
    assert first.json["best"]["value"] == max(each["metrics"]["validation/accuracy"] for each in first.json["trials"])
    assert bp(*grid).code == 2
    again = bp(*grid, "--resume")
    assert again.code == 0, again.err
    best, folder = again.out.splitlines()[-2:]
    assert best.startswith("best: ")
    assert folder == "runs/moons-sweep"
    listed = bp("runs", "ls", "--runs", folder, "--json").json
    assert {run["run_id"] for run in listed} == {trial["trial"] for trial in first.json["trials"]}


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--set", "architecture.-1.units=2,1"], 2, r"moons.yaml:\d+:1: loss: .* \(with architecture.-1.units=1\)$"),
        (["--set", "loss=cross_entropy,mse"], 2, r"^--set loss=mse: loss: .*{type: one_hot}"),
        (["--set", "seed=0..9", "--set", "loss=mse"], 2, r"^--set loss=mse: [^\n]*$"),
        (["--set", "seed=0,1", "--monitor", "validation/acc"], 2, "did you mean 'validation/accuracy'"),
        (["--set", "seed=0,1", "--name", "../other"], 2, "expected a name"),
        (["--set", "dataset={source: files, path: x.csv, target: y},{source: sample, name: iris}"], 1, "x.csv"),
    ],
)
def test_what_cannot_run_is_told_before_anything_runs(
    bp, tmp_path: Path, options: list[str], code: int, said: str
) -> None:
    done = bp("sweep", "configs/moons.yaml", *options, "--runs", "all")
    assert done.code == code
    assert re.search(said, done.err.strip(), re.MULTILINE), done.err
    assert not (tmp_path / "all").exists() and not done.out


@pytest.mark.long
def test_trials_end_with_a_checkpoint_when_the_sweep_is_killed(tmp_path: Path, cache: Path) -> None:
    command = ["sweep", "configs/xor.yaml", "--set", "trainer.epochs=1000000", "--set", "seed=0,1", "--jobs", "2"]
    env = os.environ | {"BP_CACHE": str(cache)}
    process = subprocess.Popen([sys.executable, "-m", "backprop_cli", *command, "--runs", tmp_path], cwd=ROOT, env=env)
    began = time.monotonic()
    while len(list(tmp_path.glob("[!.]*/[!.]*/metrics.jsonl"))) < 2:
        assert process.poll() is None and time.monotonic() - began < 60
        time.sleep(0.05)
    process.kill()
    process.wait()

    def statuses() -> list[str]:
        return [json.loads(path.read_text())["status"] for path in tmp_path.glob("[!.]*/[!.]*/run.json")]

    while "running" in statuses():
        assert time.monotonic() - began < 60
        time.sleep(0.05)
    assert statuses() == ["interrupted"] * 2


@pytest.mark.skipif(sys.platform != "linux", reason="there is no server of workers elsewhere")
def test_a_sweep_that_is_stopped_while_it_begins_leaves_no_traceback(tmp_path: Path, cache: Path) -> None:
    command = [sys.executable, "-m", "backprop_cli", "sweep", "configs/xor.yaml", "--set", "seed=0..9"]
    process = subprocess.Popen(
        [*command, "--runs", tmp_path],
        cwd=ROOT,
        env=os.environ | {"BP_CACHE": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )

    def server() -> bool:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        return any(b"forkserver" in Path(f"/proc/{child}/cmdline").read_bytes() for child in children)

    while not server():
        assert process.poll() is None
    time.sleep(0.1)  # it imports now
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err and not out


@pytest.mark.long
def test_a_killed_process_costs_one_trial_and_a_signal_none(bp, tmp_path: Path, cache: Path) -> None:
    command = ["sweep", "configs/xor.yaml", "--set", "trainer.epochs=4000", "--set", "seed=0..3", "--jobs", "2"]
    env = os.environ | {"BP_CACHE": str(cache), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-m", "backprop_cli", *command], cwd=tmp_path, env=env)

    def running(count: int) -> list[Path]:
        while len(found := list(tmp_path.glob("runs/xor-sweep/[!.]*/run.json"))) < count:
            assert process.poll() is None
            time.sleep(0.01)
        return sorted(found, key=lambda path: path.stat().st_mtime)

    victim = running(2)[-1]
    os.kill(json.loads(victim.read_text())["host"]["pid"], signal.SIGKILL)
    running(3)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    status = {run["run_id"]: run["status"] for run in bp("runs", "ls", "--runs", "runs/xor-sweep", "--json").json}
    assert status.pop(victim.parent.name) == "failed"
    assert set(status.values()) <= {"interrupted", "completed"}
    assert "interrupted" in status.values()
    resumed = bp(*command, "--resume", "--json")
    assert resumed.code == 1
    failed = [trial for trial in resumed.json["trials"] if trial["status"] != "completed"]
    assert [trial["trial"] for trial in failed] == [victim.parent.name]
    assert "SIGKILL" in failed[0]["error"]
    repeated = bp(*command, "--only", "failed", "--json")
    assert repeated.code == 0, repeated.err
    assert {(trial["status"], trial["metrics"]["epoch"]) for trial in repeated.json["trials"]} == {("completed", 4000)}


LINEAR = """
dataset: {source: synthetic, name: friedman, samples: 20}
architecture: [{type: dense, units: 1}]
loss: mse
optimizer: {type: sgd, learning_rate: 0.01}
trainer: {epochs: 2}
"""


@pytest.mark.long
def test_fail_fast_stops_where_keep_going_goes_on(bp, tmp_path: Path) -> None:
    (tmp_path / "linear.yaml").write_text(LINEAR)
    diverging = ["sweep", "linear.yaml", "--set", "optimizer.learning_rate=1e38,0.01,0.02", "--json"]
    on = bp(*diverging, "--name", "on")
    assert on.code == 1
    assert sorted(trial["status"] for trial in on.json["trials"]) == ["completed", "completed", "diverged"]
    fast = bp(*diverging, "--name", "fast", "--fail-fast")
    assert fast.code == 1
    assert [trial["status"] for trial in fast.json["trials"]] == ["diverged", "missing", "missing"]


@pytest.mark.long
def test_one_folder_holds_trials_of_one_config(bp, tmp_path: Path) -> None:
    config = tmp_path / "linear.yaml"
    config.write_text(LINEAR)
    sweep = ["sweep", "linear.yaml", "--set", "optimizer.learning_rate=0.01,1e38"]
    assert bp(*sweep).code == 1
    config.write_text("# a remark\n" + LINEAR.replace("0.01", "0.5"))  # what every trial overrides
    assert bp(*sweep, "--resume").code == 1
    config.write_text(LINEAR.replace("units: 1", "units: 1, l2: 0.1").replace("epochs: 2", "epochs: 3"))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json*")}
    more = ["sweep", "linear.yaml", "--set", "seed=5,6"]
    for again in ([*sweep, "--resume"], [*sweep, "--only", "failed"], [*sweep, "--only", "missing"], more):
        done = bp(*again)
        assert done.code == 2, done.err
        assert "linear-sweep were trained with: trainer.epochs: 2, now 3; architecture.0.l2: none, now 0.1" in done.err
        assert "choose another --name" in done.err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.json*")} == before
    assert bp(*more, "--name", "other").code == 0
    config.write_text(LINEAR)
    assert bp(*more).code == 0


@pytest.mark.long
def test_a_config_that_failed_everywhere_can_be_mended(bp, tmp_path: Path) -> None:
    config = tmp_path / "linear.yaml"
    config.write_text(LINEAR.replace("0.01", "1e38"))
    sweep = ["sweep", "linear.yaml", "--set", "seed=0,1"]
    assert bp(*sweep).code == 1
    config.write_text(LINEAR)
    assert bp(*sweep, "--only", "failed").code == 0


def test_a_trial_made_longer_is_no_other_config(bp, tmp_path: Path) -> None:
    (tmp_path / "linear.yaml").write_text(LINEAR)
    sweep = ["sweep", "linear.yaml", "--set", "seed=0,1", "--json"]
    first = bp(*sweep).json["trials"][0]["run_dir"]
    assert bp("train", "--resume", first, "--epochs", "4").code == 0
    assert bp(*sweep, "--resume").code == 0


def test_a_plugin_belongs_to_the_config(bp, tmp_path: Path) -> None:
    (tmp_path / "linear.yaml").write_text(LINEAR + "plugins: [mine.py]\n")
    (tmp_path / "mine.py").write_text("A = 1\n")
    sweep = ["sweep", "linear.yaml", "--set", "seed=0,1"]
    assert bp(*sweep).code == 0
    assert bp(*sweep, "--resume").code == 0
    (tmp_path / "mine.py").write_text("A = 2\n")
    done = bp(*sweep, "--resume")
    assert done.code == 2
    assert "plugins" in done.err
