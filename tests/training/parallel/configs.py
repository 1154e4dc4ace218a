"""Small trainings in float64 that hold together all that must not depend on how many processes there are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml

MLP: dict[str, Any] = {
    "name": "mlp",
    "seed": 3,
    "dtype": "float64",
    "dataset": {
        "source": "sample",
        "name": "iris",
        "transforms": ["standardize"],
        "splits": {"train": "train[:80%]", "validation": "train[80%:]"},
    },
    "architecture": [
        {"type": "dense", "units": 16, "activation": "relu", "l1": 1e-4, "l2": 1e-3},
        {"type": "dropout", "rate": 0.3},
        {"type": "dense", "units": 3, "activation": "softmax"},
    ],
    "loss": {"type": "categorical_crossentropy", "class_weights": [1, 2, 1]},
    "optimizer": {"type": "adam", "learning_rate": 0.01, "clip_value": 0.5, "ema": 0.9},
    "trainer": {"epochs": 3, "batch_size": 13, "metrics": ["accuracy", "auc"]},
}
CNN: dict[str, Any] = {
    "name": "cnn",
    "seed": 5,
    "dtype": "float64",
    "dataset": {
        "source": "sample",
        "name": "digits",
        "transforms": [{"type": "scale", "by": 0.0625}, {"type": "random_crop", "size": 8, "padding": 1}],
        "splits": {"train": "train[:300]", "validation": "train[300:401]"},
    },
    "architecture": [
        {"type": "conv2d", "filters": 4, "kernel_size": 3, "activation": "relu"},
        "batch_norm",
        {"type": "max_pool2d", "pool_size": 2},
        {"type": "spatial_dropout", "rate": 0.2},
        "flatten",
        {"type": "dense", "units": 12},
        "batch_norm",
        "relu",
        {"type": "dense", "units": 10, "activation": "softmax"},
    ],
    "loss": "categorical_crossentropy",
    "optimizer": {"type": "sgd", "momentum": 0.9, "learning_rate": 0.05, "clip_norm": 1.0},
    "trainer": {"epochs": 3, "batch_size": 33, "metrics": ["accuracy", "f1", "log_loss"]},
}
LSTM: dict[str, Any] = {
    "name": "lstm",
    "seed": 7,
    "dtype": "float64",
    "dataset": {
        "source": "files",
        "path": "sequences.npz",
        "splits": {"train": "train[:75%]", "validation": "train[75%:]"},
    },
    "architecture": [
        "masking",
        {"type": "gaussian_noise", "stddev": 0.1},
        {"type": "lstm", "units": 6, "return_sequences": True},
        "batch_norm",
        {"type": "dense", "units": 1},
    ],
    "loss": "mse",
    "optimizer": {
        "type": "adam",
        "learning_rate": 0.02,
        "accumulate": 2,
        "weight_decay": 0.01,
        "schedule": {"type": "reduce_on_plateau", "patience": 0, "monitor": "train/loss", "factor": 0.5},
    },
    "trainer": {"epochs": 3, "batch_size": 10, "metrics": ["mae", "r2"]},
}


def write(folder: Path, config: dict[str, Any]) -> str:
    """The config as a file, with what it reads beside it."""
    config = dict(config)
    if config.pop("no_batch_norm", False):
        config["architecture"] = [layer for layer in config["architecture"] if layer != "batch_norm"]
    if config["dataset"].get("path") == "sequences.npz":
        rng = np.random.default_rng(0)
        x, lengths = rng.normal(size=(93, 7, 3)), rng.integers(1, 8, 93)
        for row, length in zip(x, lengths, strict=True):
            row[length:] = 0
        np.savez(folder / "sequences.npz", x=x, y=np.cumsum(x.sum(axis=-1), axis=1)[..., None])
    (folder / f"{config['name']}.yaml").write_text(yaml.safe_dump(config))
    return f"{config['name']}.yaml"


def metrics(run: Path) -> list[dict[str, float]]:
    """The rows of a run, without their times."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "time"} for row in rows]
