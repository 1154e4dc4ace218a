"""What outputs and targets mean. Whoever reads them asks here: metrics, eval, predict, plots, reports, the doctor.

A reading is made once, where a network is built, from the loss, the last activation, the targets and the classes
of the data. It is plain data, which a model carries along in its file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from backprop_cli.engine.arrays import Array, Shape

Kind = Literal["values", "binary", "labels", "classes"]
Scale = Literal["probabilities", "logits", "scores"]


@dataclass(frozen=True)
class Reading:
    """How outputs y (N, …) are read. The last axis holds what belongs together; the others are examples and steps.

    kind       values   every output is a number of its own
               binary   one output answers one question with no or yes
               labels   every output answers a question of its own
               classes  K outputs compete, and the largest wins
    scale      what outputs are: probabilities; logits, of which the sigmoid or softmax gives probabilities; or scores,
               of which only the order counts
    threshold  an output above it is a yes
    names      of the classes 0, 1, …; of a binary reading those of no and yes
    numeric    outputs and targets are numbers on one scale, so that their difference means something
    outputs    of each output, where every one is a value or a question of its own
    """

    kind: Kind = "values"
    scale: Scale = "scores"
    threshold: float = 0.5
    names: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    numeric: bool = True

    def __post_init__(self) -> None:
        for name in ("names", "outputs"):  # lists, where the values come from JSON
            object.__setattr__(self, name, tuple(getattr(self, name)))

    @classmethod
    def guess(cls, y: Array, target: Array) -> Reading:
        """Of probabilities beside targets, by their shapes alone: for a metric that nobody told anything."""
        if y.shape[-1] == 1 or y.ndim == 1:
            return cls("binary", "probabilities")
        return cls("classes", "probabilities")

    @property
    def has_classes(self) -> bool:
        """Whether each row has one answer among classes: then there is a confusion matrix."""
        return self.kind in ("binary", "classes")

    def of_logits(self) -> Reading:
        """The same of the numbers before the final sigmoid or softmax."""
        return replace(self, scale="logits", threshold=0.0)

    def rows(self, y: Array) -> Array:
        """y as (rows, outputs)."""
        return y.reshape(-1, 1 if self.kind == "binary" or y.ndim == 1 else y.shape[-1])

    def ids(self, y: Array) -> Array:
        """Predicted class ids: (rows,), or 0 and 1 of (rows, outputs) questions."""
        rows = self.rows(y)
        if self.kind == "classes":
            places: Array = rows.argmax(axis=1)
            return places
        answers = (rows > self.threshold).astype(np.int64)
        return answers[:, 0] if self.kind == "binary" else answers

    def truth(self, target: Array, y: Array) -> Array:
        """True class ids of the targets of outputs y, in the shape of `ids`. Targets are ids, rows with the largest
        number at the class, or for yes and no 1 and 0 or 1 and −1."""
        if self.kind == "classes":
            ids = target.argmax(axis=-1) if target.shape == y.shape else target
            return ids.reshape(-1).astype(np.int64, copy=False)
        yes = (target.reshape(self.rows(y).shape) > 0.5).astype(np.int64)
        return yes[:, 0] if self.kind == "binary" else yes

    def probabilities(self, y: Array) -> Array | None:
        """Probabilities in the shape of y (binary: of yes), in float64; None where scores tell none."""
        if self.scale == "scores":
            return None
        p = np.array(y, np.float64)
        if self.scale == "logits" and self.kind == "classes":
            np.exp(p - p.max(axis=-1, keepdims=True), out=p)
            p /= p.sum(axis=-1, keepdims=True)
        elif self.scale == "logits":
            np.tanh(0.5 * p, out=p)
            p = 0.5 + 0.5 * p
        return p

    def average(self, outputs: Sequence[Array]) -> Array:
        """The mean of the outputs (N, …) of several networks for the same rows: of values, of scores, and of
        probabilities, for logits too: the logits are returned whose probabilities are the mean.

        Of probabilities p_m of M networks: p = 1/M Σ p_m (Lakshminarayanan, Pritzel & Blundell 2017, arXiv:1612.01474)
        """
        if len(outputs) == 1:
            return outputs[0]
        if self.scale != "logits":
            mean: Array = np.mean(outputs, axis=0, dtype=np.float64).astype(outputs[0].dtype)
            return mean
        shares = [self.probabilities(y) for y in outputs]
        p = np.mean([share for share in shares if share is not None], axis=0)
        tiny = np.finfo(np.float64).tiny
        z = np.log(np.maximum(p, tiny))
        if self.kind != "classes":
            z -= np.log(np.maximum(1 - p, tiny))
        return np.asarray(z, outputs[0].dtype)

    def sureness(self, y: Array) -> Array:
        """How sure the answer of each row is: its probability; of scores the distance to the next answer. (rows,)"""
        p, ids = self.probabilities(y), self.ids(y)
        rows = self.rows(np.asarray(y, np.float64) if p is None else p)
        if self.kind == "binary":
            return np.abs(rows[:, 0] - self.threshold) if p is None else np.where(ids > 0, rows[:, 0], 1 - rows[:, 0])
        own = rows[np.arange(len(rows)), ids]
        if p is not None or rows.shape[1] < 2:
            return own
        return np.asarray(own - np.partition(rows, -2, axis=1)[:, -2])

    def check(self, shape: Shape) -> None:
        """Raise ValueError unless outputs of this shape have as many classes as there are names."""
        classes = 2 if self.kind == "binary" else shape[-1] if shape else 1
        if self.kind in ("binary", "classes") and len(self.names) not in (0, classes):
            raise ValueError(f"{len(self.names)} names for {classes} classes")

    def class_names(self, outputs: int) -> list[str]:
        """The names of the classes; their ids where they have none."""
        return list(self.names) or [str(i) for i in range(2 if self.kind == "binary" else outputs)]

    def output_names(self, outputs: int) -> list[str]:
        """A name for each output along the last axis: of its class or target, else y1, y2, …"""
        if self.kind == "classes":
            return self.class_names(outputs)
        if self.kind == "binary":
            return self.class_names(1)[1:]
        return list(self.outputs) if len(self.outputs) == outputs else [f"y{i + 1}" for i in range(outputs)]

    def columns(self, shape: Shape) -> list[str]:
        """A heading for each number of an output of this shape (N left out): `p(yes)` of a probability, `score(yes)`
        of another score, the target's name of a value; with steps, the step stands in front as `3: p(yes)`."""
        width = shape[-1] if shape else 1
        names = self.output_names(width)
        if self.kind != "values":
            word = "p" if self.scale == "probabilities" else "score"
            names = [f"{word}({name})" for name in names]
        steps = int(np.prod(shape[:-1]))
        return names if steps == 1 else [f"{step}: {name}" for step in range(1, steps + 1) for name in names]

    def answers(self, y: Array) -> list[Any]:
        """What the outputs say, an item a row of y (N, …), in lists where a row has steps: the name of a class, the
        names of those outputs that say yes, or a number (a list of several)."""
        width = y.shape[-1] if y.ndim > 1 else 1
        steps = y.shape[:-1] if y.ndim > 1 else y.shape
        if self.kind == "values":
            return list((y[..., 0] if y.ndim > 1 and width == 1 else y).tolist())
        if self.has_classes:
            flat = np.asarray(self.class_names(width), dtype=object)[self.ids(y)]
            return list(flat.reshape(steps).tolist())
        names = self.output_names(width)
        said = np.empty(len(self.rows(y)), dtype=object)
        said[:] = [[name for name, yes in zip(names, row, strict=True) if yes] for row in self.ids(y)]
        return list(said.reshape(steps).tolist())
