"""Measure the config that `bp config init --data` writes beside scikit-learn, on five tables and five folds.

    python scripts/measure_tables.py [--jobs 2] [TABLE …]

Every model is tested on the very rows of bp's folds, which out-of-fold.csv tells. scikit-learn's models have their
default settings, the networks standardized columns, and learn from all rows outside the fold; bp keeps some of them
back as its validation split. The ensemble averages the probabilities (values) of the networks of five seeds for the
rows of a fold, as `bp predict SWEEP` does; the single network is that of seed 0. Prints the table of docs/data.md:
accuracy, of diabetes R², mean ± deviation of the folds. The deals into folds are not the one by which the written
config was once settled (that of seed 0).
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.metrics import r2_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FOLDS = 5
SEEDS = 5  # of the networks that are averaged
DEALS = (101, 102, 103)  # split_seed of each; nothing was ever chosen by them
TABLES = {
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast_cancer": datasets.load_breast_cancer,
    "diabetes": lambda: datasets.load_diabetes(scaled=False),
    "digits": datasets.load_digits,
}


def bp(*arguments: str, folder: Path) -> str:
    command = [sys.executable, "-m", "backprop_cli", *arguments]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return done.stdout


def ours(
    name: str, x: Any, y: Any, values: bool, deal: int, folder: Path, jobs: int
) -> tuple[list[float], list[float], Any]:
    """The scores of bp's single network and of its ensemble on each fold of a deal, and the fold of each row."""
    with open(folder / f"{name}.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"x{i}" for i in range(x.shape[1])), "y"])
        writer.writerows([*row, t if values else f"class {t}"] for row, t in zip(x.tolist(), y.tolist(), strict=True))
    bp("config", "init", f"{name}.yaml", "--data", f"{name}.csv", "--target", "y", folder=folder)
    dealt = ["--folds", str(FOLDS), "--set", f"dataset.split_seed={deal}", "--set", f"seed=0..{SEEDS - 1}"]
    result = json.loads(bp("sweep", f"{name}.yaml", *dealt, "--jobs", str(jobs), "--json", "--quiet", folder=folder))
    rows = pd.read_csv(folder / result["out_of_fold"])
    numbers = ["y"] if values else [column for column in rows if column.startswith("p(")]
    averaged = rows.groupby(["fold", "row", "target"], as_index=False)[numbers].mean()
    fold = averaged.sort_values("row")["fold"].to_numpy()
    return _scores(rows[rows["seed"] == 0], numbers, values), _scores(averaged, numbers, values), fold


def _scores(rows: pd.DataFrame, numbers: list[str], values: bool) -> list[float]:
    """R² of the values, or the share of rows whose likeliest class is the target, in each fold."""
    scores = []
    for _, own in rows.groupby("fold"):
        if values:
            scores.append(r2_score(own["target"], own["y"]))
        else:
            scores.append(float((own[numbers].idxmax(axis=1) == "p(" + own["target"] + ")").mean()))
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("names", nargs="*", default=[*TABLES])
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")  # that scikit-learn's networks have not converged by default
    print("| table | bp, as written by config init | average of 5 seeds | MLP of scikit-learn | gradient boosting |")
    print("|---|---|---|---|---|")
    for name in arguments.names:
        data = TABLES[name]()
        values = name == "diabetes"
        network, trees = (
            (MLPRegressor, GradientBoostingRegressor) if values else (MLPClassifier, GradientBoostingClassifier)
        )
        cells: list[list[float]] = [[], [], [], []]
        for deal in DEALS:
            with tempfile.TemporaryDirectory() as folder:
                single, average, fold = ours(name, data.data, data.target, values, deal, Path(folder), arguments.jobs)
            cells[0] += single
            cells[1] += average
            models = (make_pipeline(StandardScaler(), network(random_state=0)), trees(random_state=0))
            for cell, model in zip(cells[2:], models, strict=True):
                for k in range(1, FOLDS + 1):
                    model.fit(data.data[fold != k], data.target[fold != k])
                    cell.append(model.score(data.data[fold == k], data.target[fold == k]))
        shown = [f"{np.mean(scores):.3f} ± {np.std(scores, ddof=1):.3f}" for scores in cells]
        print(f"| {name} | {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()
