"""The teacher's answers as the student's targets, and who is right how often."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli.commands.lessons.look import Runs, after, answers
from backprop_cli.runs.directory import RunDirectory

TEMPERATURE = 3.0
DIGITS = 500  # that the student sees, as in distillation.yaml


def soften(runs: Runs, folder: Path) -> dict[str, Any]:
    """The teacher's softmax at TEMPERATURE for the student's digits, as the arrays of a config that reads files."""
    teacher = after(runs["teacher"])
    splits = teacher.dataset.splits
    y, _ = answers(teacher, "train")
    soft = y[:DIGITS] ** (1 / TEMPERATURE)
    soft /= soft.sum(1, keepdims=True)
    arrays = {"x_train": splits["train"].x[:DIGITS].reshape(DIGITS, 784), "y_train": soft}
    for name in ("validation", "test"):
        arrays[f"x_{name}"] = splits[name].x.reshape(-1, 784)
        arrays[f"y_{name}"] = np.eye(10)[splits[name].y]
    path = folder / "answers.npz"
    np.savez(path, **{name: array.astype(np.float32) for name, array in arrays.items()})
    return {"dataset": {"source": "files", "path": str(path.resolve()),
                        "transforms": [{"type": "scale", "by": 1 / 255}]}}  # fmt: skip


def _right(run: RunDirectory) -> float:
    y, target = answers(after(run), "test")
    return float((y.argmax(1) == (target.argmax(1) if target.ndim > 1 else target)).mean())


def teacher(runs: Runs) -> float:
    return _right(runs["teacher"])


def labels(runs: Runs) -> float:
    return _right(runs["from labels"])


def ratio(runs: Runs) -> float:
    return (1 - _right(runs["from answers"])) / (1 - _right(runs["from labels"]))


def draw(figure: Any, runs: Runs) -> None:
    """Digits about which the teacher is in doubt, with its answers at TEMPERATURE; mistakes of all three."""
    prepared = after(runs["teacher"])
    y, _ = answers(prepared, "train")
    soft = y[:DIGITS] ** (1 / TEMPERATURE)
    soft /= soft.sum(1, keepdims=True)
    top, bottom = figure.subplots(2, 6, height_ratios=(3, 2))
    for row, picture, bars in zip(np.argsort(soft.max(1))[:5], top, bottom, strict=False):
        picture.imshow(prepared.dataset.splits["train"].x[row].reshape(28, 28), cmap="Greys")
        picture.set(xticks=[], yticks=[])
        bars.bar(range(10), soft[row])
        bars.set(xticks=range(0, 10, 3), yticks=[], ylim=(0, 0.4))
    gs = top[5].get_gridspec()
    top[5].remove()
    bottom[5].remove()
    mistakes = figure.add_subplot(gs[:, 5])
    mistakes.bar(
        ["teacher", "answers", "labels"], [1 - _right(runs[n]) for n in ("teacher", "from answers", "from labels")]
    )
    mistakes.tick_params(axis="x", labelrotation=60)
    mistakes.set(title="mistakes")
