"""`bp runs summary`: means over seeds and folds, the order of settings, thousands of trials."""

from __future__ import annotations

import csv
import io
import json
import resource
import statistics
from pathlib import Path
from typing import Any

import pytest

from backprop_cli.commands.sweep.trials import plan

RATES = {"0.1": [0.5, 0.52, 0.51], "0.5": [0.3, 0.34, 0.31], "1": [0.32, 0.33, None]}


def make_sweep(folder: Path, values: dict[str, Any]) -> None:
    """The folder of a sweep over learning rates and seeds, as it is on disk; None: a trial that diverged."""
    trials = plan([f"optimizer.learning_rate={','.join(values)}", f"seed=0..{len(next(iter(values.values()))) - 1}"])
    rows = []
    for trial in trials:
        loss = values[trial.varied["optimizer.learning_rate"]][int(trial.varied["seed"])]
        status = "diverged" if loss is None else "completed"
        rows.append({"trial": trial.id, "varied": trial.varied, "status": status, "error": None})
        metrics = {
            "epoch": 3,
            "step": 9,
            "validation/loss": loss,
            "validation/accuracy": None if loss is None else loss,
        }
        (folder / trial.id).mkdir(parents=True)
        info = {"id": trial.id, "status": status, "overrides": list(trial.overrides), "metrics": metrics}
        info["best"] = {"epoch": 2, "step": 6, "validation/loss": loss}
        (folder / trial.id / "run.json").write_text(json.dumps(info))
    noted = {"config": "c.yaml", "rising": ["accuracy"], "trials": rows}
    (folder / "sweep.json").write_text(json.dumps(noted))


def test_settings_are_averaged_over_seeds_and_the_best_is_first(bp, tmp_path: Path) -> None:
    make_sweep(tmp_path / "runs" / "s", RATES)
    rows = bp("runs", "summary", "s", "--json").json
    assert [row["settings"] for row in rows] == [{"optimizer.learning_rate": rate} for rate in ("0.5", "1", "0.1")]
    assert [(row["n"], row["left_out"]) for row in rows] == [(3, 0), (2, 1), (3, 0)]
    assert rows[0]["mean"] == pytest.approx(statistics.fmean(RATES["0.5"]))
    assert rows[0]["std"] == pytest.approx(statistics.stdev(RATES["0.5"]))
    assert rows[0]["error"] == pytest.approx(statistics.stdev(RATES["0.5"]) / 3**0.5)
    assert rows[0]["p"] is None
    assert rows[1]["p"] > 0.3 > 0.001 > rows[2]["p"]
    (best,) = (
        row for row in bp("runs", "ls", "--runs", "runs/s", "--json").json if row["run_id"] == rows[0]["best_run"]
    )
    assert best["best"]["validation/loss"] == 0.3
    table = bp("runs", "summary", "s")
    assert "left_out" in table.out
    assert table.out.splitlines()[-1].startswith(
        "best: optimizer.learning_rate=0.5  best.validation/loss 0.3167 ± 0.012"
    )
    assert "may be noise (Welch's t-test, p = " in table.out
    (first, *_) = csv.DictReader(io.StringIO(bp("runs", "summary", "s", "--format", "csv").out))
    assert (first["optimizer.learning_rate"], float(first["mean"])) == ("0.5", rows[0]["mean"])


def test_a_metric_knows_its_direction_and_keys_are_grouped_by(bp, tmp_path: Path) -> None:
    make_sweep(tmp_path / "runs" / "s", RATES)
    rows = bp("runs", "summary", "s", "--metric", "validation/accuracy", "--json").json
    assert [row["settings"]["optimizer.learning_rate"] for row in rows] == ["0.1", "1", "0.5"]
    turned = bp("runs", "summary", "s", "--metric", "validation/accuracy", "--minimize", "--json").json
    assert [row["settings"]["optimizer.learning_rate"] for row in turned] == ["0.5", "1", "0.1"]
    by_seed = bp("runs", "summary", "s", "--group-by", "seed", "--json").json
    assert {row["settings"]["seed"]: row["n"] for row in by_seed} == {"0": 3, "1": 3, "2": 2}
    both = bp("runs", "summary", "s", "--group-by", "seed,optimizer.learning_rate", "--json").json
    assert len(both) == 9
    assert (both[-1]["n"], both[-1]["mean"], both[-1]["best_run"]) == (0, None, None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["t"], "no sweep 't' in runs (it holds 1)"),
        (["s", "--group-by", "sead"], "did you mean 'seed'?"),
        (["s", "--metric", "validation/los"], "did you mean 'validation/loss'?"),
    ],
)
def test_what_is_not_there_is_one_line(bp, tmp_path: Path, arguments: list[str], said: str) -> None:
    make_sweep(tmp_path / "runs" / "s", RATES)
    done = bp("runs", "summary", *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err


def test_a_sweep_of_which_nothing_has_completed(bp, tmp_path: Path) -> None:
    make_sweep(tmp_path / "runs" / "s", {"0.1": [None, None], "0.2": [None, None]})
    done = bp("runs", "summary", "s")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "no trial of runs/s has completed" in done.err


def test_names_in_sweep_json_lead_nowhere_else(bp, tmp_path: Path) -> None:
    make_sweep(tmp_path / "secret", {"9": [0.1, 0.1], "8": [0.1, 0.1]})
    make_sweep(tmp_path / "runs" / "s", RATES)
    noted = json.loads((tmp_path / "runs/s/sweep.json").read_text())
    inside = next(path.name for path in (tmp_path / "secret").iterdir() if path.is_dir())
    noted["trials"].append({"trial": f"../../secret/{inside}", "varied": {"optimizer.learning_rate": "9"}})
    (tmp_path / "runs/s/sweep.json").write_text(json.dumps(noted))
    assert "9" not in [row["settings"]["optimizer.learning_rate"] for row in bp("runs", "summary", "s", "--json").json]


@pytest.mark.long
def test_five_thousand_trials_are_listed_averaged_and_resumed_in_seconds(bp, tmp_path: Path) -> None:
    rates = [f"0.{i:04d}" for i in range(1, 1001)]
    make_sweep(tmp_path / "runs" / "xor-sweep", {rate: [float(rate)] * 5 for rate in rates})
    again = ["--set", f"optimizer.learning_rate={','.join(rates)}", "--set", "seed=0..4", "--resume", "--quiet"]
    for command in (
        ["runs", "summary", "xor-sweep"],
        ["runs", "ls", "--runs", "runs/xor-sweep"],
        ["sweep", "configs/xor.yaml", *again],
    ):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = bp(*command)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.code == 0, done.err
        assert len(done.out.splitlines()) > 1000
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        assert used < 6, f"{command[:2]} {used:.2f} s of processor time"  # on a quiet machine a third of it
