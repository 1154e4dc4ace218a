"""TPE with pruning against random search, at equal cost: seconds of training (processor-bound, one trial at a time).

    python scripts/measure_search.py [--seeds 20] [--trials 40] [--task NAME …]

For each task and seed a random search trains TRIALS settings. TPE with hyperband then searches until it has spent as
much. Reported are the mean best value of both ± standard deviation, how often TPE's is at least as good, and the share
of random search's cost after which TPE first had a value as good as random search's best (the median over seeds; `inf`
where it never had within four times the trials). Needs the extra `search`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BP = [sys.executable, "-m", "backprop_cli", "sweep"]
RATE = "optimizer.learning_rate=log:1e-4..3e-1"
TASKS = {
    "MNIST sample": (
        """
dataset: {source: sample, name: mnist5k}
architecture: [flatten, {type: dense, units: 64, activation: relu}, {type: dropout, rate: 0.1},
  {type: dense, units: 10, activation: softmax}]
loss: sparse_categorical_crossentropy
trainer: {epochs: 9, batch_size: 64}
""",
        [RATE, "architecture.1.units=log-int:8..256", "architecture.2.rate=uniform:0..0.6"],
    ),
    "breast_cancer": (
        """
dataset: {source: sample, name: breast_cancer, splits: {train: 80%, validation: 20%}, transforms: [standardize]}
architecture: [{type: dense, units: 16, activation: relu}, {type: dense, units: 1, activation: sigmoid}]
loss: binary_crossentropy
trainer: {epochs: 27, batch_size: 32}
""",
        [RATE, "architecture.0.units=log-int:2..128", "optimizer.weight_decay=log:1e-6..1e-1"],
    ),
    "adding problem": (
        """
dataset: {source: synthetic, name: adding, samples: 2000, length: 20,
  splits: {train: "train[:90%]", validation: "train[90%:]"}}
architecture: [{type: lstm, units: 16}, {type: dense, units: 1}]
loss: mean_squared_error
optimizer: {type: adam, learning_rate: 0.01, clip_norm: 1.0}
trainer: {epochs: 9, batch_size: 50}
""",
        [RATE, "architecture.0.units=log-int:4..64", "optimizer.clip_norm=log:0.1..10"],
    ),
}


def search(config: Path, axes: list[str], seed: int, *options: str) -> list[tuple[float, float]]:
    """(seconds of training so far, best value so far) after every trial."""
    settings = [word for axis in axes for word in ("--set", axis)]
    command = [
        *BP,
        config.name,
        *settings,
        "--search-seed",
        str(seed),
        "--name",
        "-".join(options),
        "--json",
        "--quiet",
    ]
    done = subprocess.run([*command, *options], cwd=config.parent, capture_output=True, text=True, check=False)
    if not done.stdout:
        raise SystemExit(done.stderr)
    trials: list[dict[str, Any]] = json.loads(done.stdout)["trials"]
    spent = itertools.accumulate((each["metrics"] or {}).get("time") or 0.0 for each in trials)
    values = (_value(each) for each in trials)
    return list(zip(spent, itertools.accumulate(values, min), strict=True))


def _value(trial: dict[str, Any]) -> float:
    value = (trial["best"] or {}).get("validation/loss")
    return float("inf") if value is None else float(value)


def measure(name: str, seeds: int, trials: int) -> str:
    """A row of the table."""
    text, axes = TASKS[name]
    random, tpe, shares = [], [], []
    with TemporaryDirectory() as folder:
        for seed in range(seeds):
            config = Path(folder) / f"{seed}" / "task.yaml"
            config.parent.mkdir()
            config.write_text(text)
            drawn = search(config, axes, seed, "--search", "random", "--trials", str(trials))
            more = ["--search", "tpe", "--prune", "hyperband", "--trials", str(4 * trials)]
            learnt = search(config, axes, seed, *more)
            cost, best = drawn[-1]
            random.append(best)
            tpe.append(min((value for spent, value in learnt if spent <= cost), default=float("inf")))
            shares.append(next((spent / cost for spent, value in learnt if value <= best), float("inf")))
    wins = sum(a <= b for a, b in zip(tpe, random, strict=True))
    share = statistics.median(shares)
    means = [f"{statistics.fmean(each):.4g} ± {statistics.pstdev(each):.2g}" for each in (random, tpe)]
    return f"| {name} | {means[0]} | {means[1]} | {wins} of {seeds} | {share:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="TPE with pruning against random search.")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--task", action="append", choices=list(TASKS))
    given = parser.parse_args()
    print("| task (validation/loss) | random | TPE, hyperband | TPE as good | share of the cost to random's best |")
    print("|---|---|---|---|---|")
    for name in given.task or TASKS:
        print(measure(name, given.seeds, given.trials), flush=True)


if __name__ == "__main__":
    main()
