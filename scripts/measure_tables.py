"""Measure the config that `bp config init --data` writes beside scikit-learn, on five tables and five folds.

    python scripts/measure_tables.py [--jobs 2]

Every model is tested on the very rows of bp's folds, which out-of-fold.csv tells. scikit-learn's models have their
default settings, the networks standardized columns, and learn from all rows outside the fold; bp keeps some of them
back as its validation split. Prints the table of docs/data.md: accuracy, of diabetes R², mean ± deviation of the folds.
The deals into folds are not the one by which the written config was once settled (that of seed 0).
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
from sklearn import datasets
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FOLDS = 5
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


def ours(name: str, x: Any, y: Any, values: bool, deal: int, folder: Path, jobs: int) -> tuple[list[float], Any]:
    """bp's score on each fold of a deal, and the fold of each row."""
    with open(folder / f"{name}.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"x{i}" for i in range(x.shape[1])), "y"])
        writer.writerows([*row, t if values else f"class {t}"] for row, t in zip(x.tolist(), y.tolist(), strict=True))
    bp("config", "init", f"{name}.yaml", "--data", f"{name}.csv", "--target", "y", folder=folder)
    dealt = ["--folds", str(FOLDS), "--set", f"dataset.split_seed={deal}"]
    result = json.loads(bp("sweep", f"{name}.yaml", *dealt, "--jobs", str(jobs), "--json", "--quiet", folder=folder))
    with open(folder / result["out_of_fold"]) as file:
        rows = list(csv.DictReader(file))
    fold = np.empty(len(y), int)
    for row in rows:
        fold[int(row["row"])] = int(row["fold"])
    scores = []
    for k in range(1, FOLDS + 1):
        own = [row for row in rows if int(row["fold"]) == k]
        if values:
            t, p = (np.array([float(row[key]) for row in own]) for key in ("target", "y"))
            scores.append(1 - ((t - p) ** 2).sum() / ((t - t.mean()) ** 2).sum())
        else:
            scores.append(float(np.mean([row["target"] == row["prediction"] for row in own])))
    return scores, fold


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("names", nargs="*", default=[*TABLES])
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")  # that scikit-learn's networks have not converged by default
    print("| table | bp, as written by config init | MLP of scikit-learn | gradient boosting |\n|---|---|---|---|")
    for name in arguments.names:
        data = TABLES[name]()
        values = name == "diabetes"
        network, trees = (
            (MLPRegressor, GradientBoostingRegressor) if values else (MLPClassifier, GradientBoostingClassifier)
        )
        cells: list[list[float]] = [[], [], []]
        for deal in DEALS:
            with tempfile.TemporaryDirectory() as folder:
                scores, fold = ours(name, data.data, data.target, values, deal, Path(folder), arguments.jobs)
            cells[0] += scores
            models = (make_pipeline(StandardScaler(), network(random_state=0)), trees(random_state=0))
            for cell, model in zip(cells[1:], models, strict=True):
                for k in range(1, FOLDS + 1):
                    model.fit(data.data[fold != k], data.target[fold != k])
                    cell.append(model.score(data.data[fold == k], data.target[fold == k]))
        shown = [f"{np.mean(each):.3f} ± {np.std(each, ddof=1):.3f}" for each in cells]
        print(f"| {name} | {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()
