"""`bp sweep --on`: a real scheduler and real workers, which die, do not see the folder, or do not fit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clusters import Cluster
from tests.conftest import ROOT

pytestmark = pytest.mark.cluster
MOONS = ["sweep", str(ROOT / "configs/moons.yaml"), "--quiet", "--json", "--set", "trainer.epochs=4"]
GRID = [*MOONS, "--set", "optimizer.learning_rate=0.01,0.1", "--set", "seed=0,1"]
LONG = ["sweep", str(ROOT / "tests/reliability/everything.yaml"), "--set", "seed=0,1", "--quiet"]
LONG += ["--set", "trainer.epochs=300", "--set", "trainer.early_stopping.patience=300"]
LONG += ["--set", "trainer.checkpoint.every_epochs=5"]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster") as started:
        yield started


@pytest.fixture
def here(bp, tmp_path: Path) -> dict[str, Any]:
    """The numbers of a local sweep, by trial."""
    done = bp(*GRID, "--jobs", "2", "--name", "here")
    assert done.code == 0, done.err
    return numbers(done.json)


def numbers(told: dict[str, Any]) -> dict[str, Any]:
    return {
        trial["trial"]: (trial["status"], {**trial["metrics"], "time": 0}, trial["best"]) for trial in told["trials"]
    }


def begin(cluster: Cluster, folder: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "backprop_cli", *LONG, "--on", f"dask://{cluster.address}", *more]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=folder, env=env, stdout=-1, stderr=-1, text=True, start_new_session=True)


def checkpoints(folder: Path, count: int) -> None:
    """Wait until so many trials have a checkpoint."""
    deadline = time.monotonic() + 120
    while len(list(folder.glob("*/checkpoints/last.safetensors"))) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_runs_lie_in_the_folder_and_are_those_of_a_local_sweep(bp, cluster: Cluster, tmp_path: Path, here) -> None:
    cluster.worker(threads=2)
    done = bp(*GRID, "--on", f"dask://{cluster.address}")
    assert (done.code, done.err) == (0, "")
    assert numbers(done.json) == here
    folder = tmp_path / "runs/moons-sweep"
    assert not list(folder.glob(".*")), "nothing is left beside the runs"
    for trial in here:
        mine, theirs = folder / trial, tmp_path / "runs/here" / trial
        assert (mine / "config.yaml").read_text() == (theirs / "config.yaml").read_text()
        info = json.loads((mine / "run.json").read_text())
        assert info["overrides"] == json.loads((theirs / "run.json").read_text())["overrides"]


def test_runs_of_workers_that_do_not_see_the_folder_come_back(bp, cluster: Cluster, tmp_path: Path, here) -> None:
    cluster.worker(threads=2, hidden=[tmp_path / "runs"])
    done = bp(*GRID, "--on", f"dask://{cluster.address}")
    assert done.code == 0, done.err
    assert "they send their runs back" in " ".join(done.err.replace("│", " ").split())
    assert numbers(done.json) == here
    run = tmp_path / "runs/moons-sweep" / next(iter(here))
    assert bp("eval", str(run)).code == 0
    assert not list((tmp_path / "cluster/scratch").glob("**/*.safetensors"))


def test_a_worker_that_dies_loses_nothing(bp, cluster: Cluster, tmp_path: Path) -> None:
    assert bp(*LONG, "--name", "here").code == 0
    dying = cluster.worker()
    process = begin(cluster, tmp_path)
    checkpoints(tmp_path / "runs/everything-sweep", 1)
    cluster.kill(dying)
    cluster.worker(threads=2)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    assert out.endswith("runs/everything-sweep\n")
    resumed = 0
    for run in (tmp_path / "runs/here").glob("*/run.json"):
        mine, theirs = (
            json.loads(path.read_text())
            for path in (tmp_path / "runs/everything-sweep" / run.parent.name / "run.json", run)
        )
        assert mine["status"] == "completed"
        assert {**mine["metrics"], "time": 0} == {**theirs["metrics"], "time": 0}
        resumed += mine["resumed_from"] is not None
    assert resumed == 1


def test_ctrl_c_stops_in_order_and_resume_goes_on(bp, cluster: Cluster, tmp_path: Path) -> None:
    cluster.worker(threads=2)
    process = begin(cluster, tmp_path)
    checkpoints(tmp_path / "runs/everything-sweep", 2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.count("\n") == 1
    assert "add --resume to go on" in err
    for run in (tmp_path / "runs/everything-sweep").glob("*/run.json"):
        assert json.loads(run.read_text())["status"] == "interrupted"
    again = bp(*LONG, "--on", f"dask://{cluster.address}", "--resume", "--json")
    assert again.code == 0, again.err
    assert [trial["status"] for trial in again.json["trials"]] == ["completed", "completed"]
    assert all(
        json.loads(run.read_text())["resumed_from"] for run in (tmp_path / "runs/everything-sweep").glob("*/run.json")
    )


def test_a_sweep_that_is_killed_leaves_its_workers_free(bp, cluster: Cluster, tmp_path: Path) -> None:
    cluster.worker(threads=2)
    process = begin(cluster, tmp_path)
    checkpoints(tmp_path / "runs/everything-sweep", 2)
    process.kill()
    process.wait()
    again = bp(*LONG, "--on", f"dask://{cluster.address}", "--resume", "--json")
    assert again.code == 0, again.err
    assert [trial["status"] for trial in again.json["trials"]] == ["completed", "completed"]


def test_a_cluster_of_this_machine(bp, tmp_path: Path, here) -> None:
    done = bp(*GRID, "--on", "dask", "--jobs", "2")
    assert (done.code, done.err) == (0, "")
    assert numbers(done.json) == here


@pytest.mark.search
def test_a_search_that_learns_and_prunes(bp, cluster: Cluster) -> None:
    cluster.worker()
    axes = ["--set", "optimizer.learning_rate=log:1e-5..1e-1", "--set", "architecture.0.units=log-int:2..32"]
    search = [*axes, "--search", "tpe", "--prune", "median", "--trials", "14"]
    done = bp(*MOONS, *search, "--on", f"dask://{cluster.address}", "--jobs", "1")
    assert done.code == 0, done.err
    local = bp(*MOONS, *search, "--name", "here")
    assert numbers(done.json) == numbers(local.json)
    assert {trial["status"] for trial in done.json["trials"]} == {"completed", "pruned"}


def test_data_that_a_worker_does_not_have(bp, cluster: Cluster, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "table.csv").write_text("x,y\n" + "".join(f"{i},{i % 2}\n" for i in range(40)))
    config = tmp_path / "own.yaml"
    config.write_text(
        "dataset: {source: files, path: data/table.csv, target: y}\n"
        "architecture: [{type: dense, units: 1, activation: sigmoid}]\n"
        "loss: binary_crossentropy\ntrainer: {epochs: 1}\n"
    )
    cluster.worker(hidden=[data])
    sweep = ["sweep", str(config), "--set", "seed=0,1", "--quiet", "--json"]
    done = bp(*sweep, "--on", f"dask://{cluster.address}")
    assert done.code == 1
    assert {trial["status"] for trial in done.json["trials"]} == {"failed"}
    for trial in done.json["trials"]:
        assert "table.csv" in trial["error"]
        assert "(on " in trial["error"]
    again = bp(*sweep, "--only", "failed")
    assert [trial["status"] for trial in again.json["trials"]] == ["completed"] * 2, again.err


def test_another_bp_on_a_worker(bp, cluster: Cluster, tmp_path: Path) -> None:
    older = tmp_path / "older.py"
    older.write_text("from backprop_cli.runs import versions\nversions.__version__ = '0.0.9'\n")
    cluster.worker(options=["--preload", str(older)])
    done = bp(*GRID, "--on", f"dask://{cluster.address}")
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1), done.err
    assert "has backprop-cli 0.0.9, here" in done.err


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--on", "dask://127.0.0.1:9"], 1, "no scheduler answers at dask://127.0.0.1:9"),
        (["--on", "ray"], 2, "expected dask://HOST:PORT, dask, slurm, pbs or lsf"),
        (["--on", "slurm"], 2, "needs --set-cluster FILE"),
        (["--set-cluster", "jobs.yaml"], 2, "expected --on slurm, pbs or lsf"),
        (["--on", "slurm", "--set-cluster", "nowhere.yaml"], 2, "nowhere.yaml: No such file"),
        (["--on", "slurm", "--set-cluster", "jobs.yaml"], 2, "no sbatch here"),
    ],
)
def test_what_cannot_be_used_is_one_line(bp, tmp_path: Path, options: list[str], code: int, said: str) -> None:
    (tmp_path / "jobs.yaml").write_text("{cores: 4, memory: 8GB}")
    done = bp(*GRID, *options)
    assert (done.code, done.out, done.err.count("\n")) == (code, "", 1), done.err
    assert said in done.err


@pytest.mark.parametrize(
    ("system", "wanted"),
    [
        ("slurm", ["#SBATCH -p short", "#SBATCH --cpus-per-task=4", "#SBATCH -t 01:00:00"]),
        ("pbs", ["#PBS -q short", "#PBS -l select=1:ncpus=4"]),
        ("lsf", ["#BSUB -q short", "#BSUB -n 4"]),
    ],
)
def test_the_script_of_a_job(system: str, wanted: list[str]) -> None:
    from backprop_cli.commands.sweep.cluster.clusters import batch

    options = {"cores": 4, "memory": "8GB", "queue": "short", "walltime": "01:00:00" if system != "lsf" else "01:00"}
    if system == "lsf":
        options["use_stdin"] = True
    with batch(system, options) as jobs:
        script = jobs.job_script()
    for line in wanted:
        assert line in script, script
    assert f"{sys.executable} -m distributed.cli.dask_worker tcp://" in script
    assert "--nthreads 4" in script
    assert "--preload backprop_cli.commands.sweep.cluster.host" in script


def test_the_extra_is_named_where_it_is_missing(tmp_path: Path) -> None:
    (tmp_path / "distributed.py").write_text("raise ImportError('no distributed here', name='distributed')\n")
    env = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "backprop_cli", *GRID, "--on", "dask"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert "--on dask needs distributed: pip install 'backprop-cli[cluster]'" in done.stderr
