"""The kind of targets (values, class ids, one-hot rows, …), inferred from their numbers, and the outputs they need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Activation
from backprop_cli.engine.reading import Kind, Reading
from backprop_cli.errors import BuildError

Form = Literal["ids", "yes_no", "signs", "one_hot", "distributions", "values"]
LOOKED_AT = 1_000_000  # rows


@dataclass(frozen=True)
class Targets:
    """The targets of a training: the shape of one, the lowest and highest number, and what they are.

    form  ids            whole numbers that name classes
          yes_no         0 and 1 only; signs: −1 and 1 only
          one_hot        rows with a single 1; distributions: rows of shares that add up to one
          values         any other numbers

    `classes` are the names of the class ids that they were made of, `names` those of the columns they come from.
    """

    shape: Shape
    form: Form = "values"
    low: float = -np.inf
    high: float = np.inf
    classes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, y: Array, classes: tuple[str, ...] = (), names: tuple[str, ...] = ()) -> Targets:
        """Of the targets y (N, …) of a split, as the network gets them."""
        y = np.asarray(y[:LOOKED_AT])
        return cls(tuple(y.shape[1:]), _form(y), float(y.min()), float(y.max()), classes, names)


def _form(y: Array) -> Form:
    rows = y.ndim > 1 and y.shape[-1] > 1 and bool((y >= 0).all())
    if bool(((y == 0) | (y == 1)).all()):
        return "one_hot" if rows and bool((y.sum(axis=-1) == 1).all()) else "yes_no"
    if bool((np.abs(y) == 1).all()):
        return "signs"
    if y.dtype.kind in "iub":
        return "ids"
    return "distributions" if rows and bool((np.abs(y.sum(axis=-1) - 1) < 1e-3).all()) else "values"


class Loss(Protocol):
    """What is asked of a loss; see losses/base.py."""

    @property
    def type_name(self) -> str: ...

    @property
    def scale(self) -> Literal["probabilities", "logits", "scores"] | None: ...

    @property
    def answers(self) -> Any: ...

    @property
    def meets_targets(self) -> bool: ...

    @property
    def outputs(self) -> tuple[str, ...]: ...


def read(loss: Loss, output: Shape, targets: Targets, last: Activation | None, values: bool = False) -> Reading:
    """How outputs of this shape, made by this last activation, are to be read. With `values`, as numbers where the
    loss allows it, whatever they look like. Raises BuildError where they can mean nothing."""
    width = output[-1] if output else 1
    kind = _kind(loss, output, targets, values)
    low, high = last.range if last is not None else (-np.inf, np.inf)
    scale = loss.scale or ("probabilities" if low >= 0 and high <= 1 else "scores")
    if kind in ("classes", "binary") and len(targets.classes) == 1:
        raise BuildError(
            f"all targets are of one class, {targets.classes[0]}, so there is nothing to tell apart; add rows of "
            "another class, or set dataset.task: regression for values"
        )
    if kind == "classes" and targets.classes and width != len(targets.classes):
        raise BuildError(
            f"the network ends with {width} units, but the data have {len(targets.classes)} classes "
            f"({_some(targets.classes)}); end with units: {len(targets.classes)}"
        )
    if kind == "labels" and last is not None and last.distribution:
        raise BuildError(
            f"each of the {width} outputs answers a question of its own, but {last.type_name} makes them compete; "
            "end with activation: sigmoid"
        )
    beyond = targets.low < low or targets.high > high
    if beyond and loss.meets_targets and (kind == "values" or loss.answers == "values"):
        assert last is not None
        raise BuildError(
            f"targets go from {targets.low:g} to {targets.high:g}, but outputs of {last.type_name} only from {low:g} "
            f"to {high:g}; leave the last activation out, or scale the targets"
        )
    middle = targets.form == "signs" or scale == "logits" or loss.scale == "scores"
    names: tuple[str, ...] = ()
    if kind == "classes" or (kind == "binary" and len(targets.classes) == 2):
        names = targets.classes
    elif kind == "binary" and targets.form == "signs":
        names = ("-1", "1")
    outputs = targets.names if len(targets.names) == width else ()
    if loss.outputs:  # they do not meet the targets one by one
        return Reading("values", "scores", outputs=loss.outputs, numeric=False)
    numeric = kind == "values" or loss.answers == "values"
    return Reading(kind, scale, 0.0 if middle else 0.5, names, outputs, numeric)


def _kind(loss: Loss, output: Shape, targets: Targets, values: bool) -> Kind:
    width = output[-1] if output else 1
    if loss.answers == "classes":
        return "classes"
    if width > 1 and targets.shape == output[:-1]:  # a class id for each row of scores
        return "classes"
    if values and loss.answers == "values":
        return "values"
    if targets.form == "one_hot" and width > 1 and (targets.classes or loss.answers == "values"):
        return "classes"
    if targets.form in ("yes_no", "signs", "one_hot"):
        return "binary" if width == 1 else "labels"
    return "values"


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
