"""Make the small tables of backprop_cli/data/sample/ from those that scikit-learn carries.

    pip install scikit-learn && python scripts/make_table_samples.py

The rows of a classification set are ordered so that every run of rows holds the classes in nearly
the proportions of the whole: the i-th of a class's n rows (shuffled) stands at (i + u) / n, u
uniform in [0, 1). Those of a regression set are shuffled. So `train[:80%]` is a stratified split.
"""

from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets

SAMPLE = Path(__file__).resolve().parent.parent / "backprop_cli" / "data" / "sample"
SEED = 0


def stratified(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    place = np.empty(len(labels))
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        place[rows] = (np.arange(len(rows)) + rng.random(len(rows))) / len(rows)
    return np.argsort(place)


def main() -> None:
    for name, load in {
        "iris": datasets.load_iris,
        "wine": datasets.load_wine,
        "breast_cancer": datasets.load_breast_cancer,
        "digits": datasets.load_digits,
        "diabetes": lambda: datasets.load_diabetes(scaled=False),
    }.items():
        table: Any = load()
        rng = np.random.default_rng(SEED)
        classes = [str(each) for each in table.get("target_names", [])]
        order = stratified(table.target, rng) if classes else rng.permutation(len(table.target))
        x, y = table.data[order], table.target[order]
        if name == "digits":
            arrays = {"x": x.reshape(-1, 8, 8, 1).astype(np.uint8)}
        else:
            arrays = {"x": x.astype(np.float64), "features": np.array(table.feature_names)}
        if classes:
            arrays |= {"y": y.astype(np.int64), "classes": np.array(classes)}
        else:
            arrays |= {"y": y.astype(np.float64).reshape(-1, 1)}
        path = SAMPLE / f"{name}.npz"
        np.savez_compressed(path, **{f"train_{k}" if k in "xy" else k: v for k, v in arrays.items()})
        print(f"{path}: {x.shape}, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
