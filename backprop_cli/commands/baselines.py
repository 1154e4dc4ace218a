"""Simple models to compare a network with: the majority class or the mean, for a series the last value, and a linear
model of the same inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from backprop_cli.commands.evidence import Evidence
from backprop_cli.engine.arrays import Array
from backprop_cli.engine.reading import Reading
from backprop_cli.model.build import Prepared

ROWS = 10_000  # of the training split that a linear model is fitted to, evenly spaced
COLUMNS = 5_000  # inputs up to which there is one
ROUNDS = 500
RIDGE = 1e-3  # times ‖W‖² / 2, beside the mean loss, with inputs of mean 0 and variance 1


def baselines(prepared: Prepared, split: str, evidence: Evidence) -> dict[str, dict[str, float]]:
    """The metrics of each, fitted to the training split, on the examples of another."""
    if "train" not in prepared.dataset.splits or not evidence.plain:
        return {}
    x, t = _rows(prepared, "train", ROWS)
    reading, shape = prepared.reading, evidence.y.shape[1:]
    if reading.kind == "values" and t[0].size != np.prod(shape):  # outputs and targets do not meet one by one
        return {}
    wanted = _wanted(reading, t, int(np.prod(shape)))
    n = len(evidence)
    simple = np.broadcast_to(wanted.mean(axis=0), (n, wanted.shape[1]))
    measured_by = {"mean" if reading.kind == "values" else "majority": _measured(evidence, simple, shape)}
    last = _last(prepared, split)
    if last is not None and reading.kind == "values":
        measured_by["last"] = _measured(evidence, last, shape)
    if x.dtype.kind == "f" and x[0].size <= COLUMNS:
        there, _ = _rows(prepared, split, None)
        measured_by["linear"] = _measured(evidence, _linear(reading.kind)(x.reshape(len(x), -1), wanted)(there), shape)
    return measured_by


def _last(prepared: Prepared, split: str) -> Array | None:
    """For windows: predict the last known value for every step; None if the targets are not raw inputs."""
    series, features = prepared.dataset.series, prepared.dataset.features or []
    table = prepared.dataset.table
    if (
        series is None
        or table is None
        or any(target not in features or target in table.plans for target in series.targets)
    ):
        return None
    known = prepared.dataset.splits[split].x[:, -1, [features.index(target) for target in series.targets]]
    return np.tile(np.asarray(known, np.float64), series.horizon)


def _rows(prepared: Prepared, split: str, most: int | None) -> tuple[Array, Array]:
    """Inputs and targets after the transforms."""
    data = prepared.dataset.splits[split]
    keep = None if most is None or len(data) <= most else np.linspace(0, len(data) - 1, most).astype(int)
    pairs = [(x.copy(), y.copy()) for x, y in prepared.batches(split).epoch(0)]
    x, y = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return (x, y) if keep is None else (x[keep], y[keep])


def _wanted(reading: Reading, target: Array, width: int) -> Array:
    """Targets as rows of what outputs should be: values, 0 and 1 for questions, a 1 at the class."""
    if reading.kind == "values":
        return np.asarray(target, np.float64).reshape(len(target), -1)
    ids = reading.truth(target, np.empty((len(target), width)))
    if reading.kind == "classes":
        return np.eye(width)[ids]
    return ids.reshape(len(target), -1).astype(np.float64)


def _linear(kind: str) -> Callable[[Array, Array], Callable[[Array], Array]]:
    return _least_squares if kind == "values" else (_softmax if kind == "classes" else _sigmoid)


def _scaled(x: Array) -> tuple[Array, Callable[[Array], Array]]:
    mean, spread = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
    spread[spread == 0] = 1

    def scale(rows: Array) -> Array:
        flat = (rows.reshape(len(rows), -1) - mean) / spread
        return np.concatenate([flat, np.ones((len(rows), 1))], axis=1)

    return scale(x), scale


def _least_squares(x: Array, t: Array) -> Callable[[Array], Array]:
    z, scale = _scaled(x)
    penalty = RIDGE * len(z) * np.eye(z.shape[1])
    penalty[-1, -1] = 0
    w = np.linalg.lstsq(z.T @ z + penalty, z.T @ t, rcond=None)[0]
    return lambda rows: np.asarray(scale(rows) @ w)


def _softmax(x: Array, t: Array) -> Callable[[Array], Array]:
    return _descended(x, t, _shares)


def _sigmoid(x: Array, t: Array) -> Callable[[Array], Array]:
    return _descended(x, t, lambda z: 0.5 + 0.5 * np.tanh(0.5 * z))


def _shares(z: Array) -> Array:
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def _descended(x: Array, t: Array, link: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Logistic regression by Nesterov's accelerated gradient, with the step that the largest curvature allows."""
    rows, scale = _scaled(x)
    z, t = np.asarray(rows, np.float32), np.asarray(t, np.float32)  # half the time, and inputs have one scale
    w = ahead = np.zeros((z.shape[1], t.shape[1]), np.float32)
    largest = np.linalg.eigvalsh(z @ z.T if len(z) < z.shape[1] else z.T @ z)[-1]  # a tenth of the time of ‖z‖₂
    step = np.float32(1 / (0.5 * float(largest) / len(z) + RIDGE))
    for k in range(ROUNDS):
        slope = z.T @ (link(z @ ahead) - t) / len(z)
        slope[:-1] += RIDGE * ahead[:-1]
        new = ahead - step * slope
        ahead, w = new + k / (k + 3) * (new - w), new
    return lambda rows: link(scale(rows) @ w)


def _measured(evidence: Evidence, outputs: Array, shape: tuple[int, ...]) -> dict[str, float]:
    """The metrics of values or probabilities (N, K) in the place of the network's outputs."""
    y = np.ascontiguousarray(outputs, evidence.y.dtype).reshape(len(evidence), *shape)
    if evidence.reading.kind == "values":
        return replace(evidence, y=y, logits=None).measure()
    tiny = np.finfo(evidence.y.dtype).tiny
    p = np.clip(y, tiny, 1)
    z = np.log(p) if evidence.reading.kind == "classes" else np.log(p) - np.log(np.clip(1 - y, tiny, 1))
    scores: Any = y if evidence.reading.scale == "probabilities" else z
    return replace(evidence, y=scores, logits=None if evidence.logits is None else z).measure()
