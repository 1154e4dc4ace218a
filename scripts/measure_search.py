"""TPE with pruning against random search at equal cost, which is epochs of training: other work on the machine does not
change that.

    python scripts/measure_search.py [--seeds 20] [--trials 24] [--task NAME …]

For each task and seed a random search trains TRIALS settings. TPE with hyperband then searches until it has trained as
many epochs. Reported are the median best value of both, how often TPE's is at least as good, and the share of random
search's cost after which TPE first had a value as good as random search's best: the median over seeds, in epochs and in
seconds of training (`inf` where it never had, within three times the trials). Needs the extra `search`.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
BP = [sys.executable, "-m", "backprop_cli", "sweep"]
RATE = "optimizer.learning_rate=log:1e-4..3e-1"
TASKS = {
    "MNIST sample": (
        """
dataset: {source: sample, name: mnist5k, splits: {train: "train[:1000]", validation: validation}}
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
dataset: {source: synthetic, name: adding, samples: 1000, length: 10,
  splits: {train: "train[:90%]", validation: "train[90%:]"}}
architecture: [{type: lstm, units: 16}, {type: dense, units: 1}]
loss: mean_squared_error
optimizer: {type: adam, learning_rate: 0.01, clip_norm: 1.0}
trainer: {epochs: 9, batch_size: 50}
""",
        [RATE, "architecture.0.units=log-int:4..64", "optimizer.clip_norm=log:0.1..10"],
    ),
}


@dataclass
class Progress:
    """A search after one of its trials: what it has cost so far, and the best value so far."""

    epochs: int
    seconds: float
    best: float


def search(config: Path, axes: list[str], seed: int, *options: str) -> list[Progress]:
    """Run a search; its progress after every trial."""
    settings = [word for axis in axes for word in ("--set", axis)]
    command = [*BP, config.name, *settings, "--search-seed", str(seed), "--name", "-".join(options), "--json"]
    done = subprocess.run([*command, "--quiet", *options], cwd=config.parent, capture_output=True, text=True)
    if not done.stdout:
        raise SystemExit(done.stderr)
    progress, last = [], Progress(0, 0.0, math.inf)
    for trial in json.loads(done.stdout)["trials"]:
        row, value = trial["metrics"] or {}, (trial["best"] or {}).get("validation/loss")
        best = min(last.best, math.inf if value is None else float(value))
        last = Progress(last.epochs + (row.get("epoch") or 0), last.seconds + (row.get("time") or 0.0), best)
        progress.append(last)
    return progress


@dataclass
class Compared:
    """Both searches with one seed: the best values at equal cost, and TPE's shares of the cost to random's best."""

    random: float
    tpe: float
    share_of_epochs: float
    share_of_seconds: float


def compare(name: str, seed: int, trials: int) -> Compared:
    text, axes = TASKS[name]
    with TemporaryDirectory() as folder:
        config = Path(folder) / "task.yaml"
        config.write_text(text)
        drawn = search(config, axes, seed, "--search", "random", "--trials", str(trials))[-1]
        learnt = search(config, axes, seed, "--search", "tpe", "--prune", "hyperband", "--trials", str(3 * trials))
    tpe = min((each.best for each in learnt if each.epochs <= drawn.epochs), default=math.inf)
    reached = next((each for each in learnt if each.best <= drawn.best), Progress(1 << 60, math.inf, 0.0))
    share = reached.epochs / drawn.epochs if reached.epochs < 1 << 60 else math.inf
    return Compared(drawn.best, tpe, share, reached.seconds / drawn.seconds)


def row(name: str, seeds: list[Compared]) -> str:
    """A row of the table."""
    wins = sum(each.tpe <= each.random for each in seeds)
    random, tpe = (statistics.median(getattr(each, which) for each in seeds) for which in ("random", "tpe"))
    epochs = statistics.median(each.share_of_epochs for each in seeds)
    seconds = statistics.median(each.share_of_seconds for each in seeds)
    return f"| {name} | {random:.4g} | {tpe:.4g} | {wins} of {len(seeds)} | {epochs:.2f} | {seconds:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="TPE with pruning against random search.")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--task", action="append", choices=list(TASKS))
    given = parser.parse_args()
    compared: dict[str, list[Compared]] = {name: [] for name in given.task or TASKS}
    for seed in range(given.first, given.first + given.seeds):
        for name in compared:
            compared[name].append(compare(name, seed, given.trials))
            print(seed, name, compared[name][-1], file=sys.stderr, flush=True)
    print("| task (validation/loss) | random | TPE, hyperband | TPE as good | epochs to random's best | seconds |")
    print("|---|---|---|---|---|---|")
    for name, seeds in compared.items():
        print(row(name, seeds))


if __name__ == "__main__":
    main()
