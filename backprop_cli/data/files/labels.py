"""From labels as people write them to class ids 0, 1, …"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.dataset import Split
from backprop_cli.data.files.values import is_number
from backprop_cli.errors import DataError

if TYPE_CHECKING:
    from backprop_cli.data.schema import Schema

MAX_INTEGER_CLASSES = 50


def are_classes(values: Array, task: str | None) -> bool:
    """Whether the values (N,) of a target are classes: as `task` says, or text, booleans and few integers."""
    if task is not None:
        return task == "classification"
    if values.dtype.kind in "iu":
        return len(np.unique(values)) <= MAX_INTEGER_CLASSES
    return values.dtype.kind not in "f"


def task_of(known: Schema | None) -> str | None:
    """What a model was trained for: classification or regression; None without one."""
    if known is None:
        return None
    return "regression" if known.classes is None else "classification"


def check_seen(parts: Mapping[str, Split], classes: list[str] | None) -> None:
    """Raise DataError for a class that some split has and `train` has not: it cannot be learned."""
    if not classes or "train" not in parts:
        return
    known = np.unique(parts["train"].y)
    for name, part in parts.items():
        unseen = np.setdiff1d(part.y, known)
        if len(unseen):
            rows = int((part.y == unseen[0]).sum())
            raise DataError(
                f"split {name} has {rows} {'row' if rows == 1 else 'rows'} of class {classes[unseen[0]]!r}, split "
                "train has none; give train a larger share, or drop the class"
            )


def encode(
    parts: Mapping[str, Array],
    origin: Mapping[str, str],
    classes: list[str] | None = None,
    whose: str = "the classes that the model has learnt",
) -> tuple[dict[str, Array], list[str]]:
    """Class ids, int64 (N,), of the labels (N,) of every part, and the class names, sorted.

    `origin` names a part in messages. The classes are those given, which a model has learnt or a config has ordered;
    else those of `train` (of the first part without one).
    Raises DataError for a label that is not among them, with the row counted from 1.
    """
    if classes is not None:
        return {name: _ids(values, classes, origin[name], whose) for name, values in parts.items()}, classes
    first = "train" if "train" in parts else next(iter(parts))
    known = np.unique(parts[first])
    ids: dict[str, Array] = {}
    for name, values in parts.items():
        values, unlike = _alike(values, known)
        at = np.searchsorted(known, values).clip(max=len(known) - 1)
        unseen = np.flatnonzero((known[at] != values) | unlike)
        if len(unseen):
            row = int(unseen[0])
            raise DataError(
                f"{origin[name]}, row {row + 1}: label {label_text(parts[name][row])!r} never occurs in "
                f"{origin[first]}, whose labels are {', '.join(map(label_text, known[:20]))}; add such rows to it or "
                "drop this one"
            )
        ids[name] = at.astype(np.int64)
    return ids, [label_text(label) for label in known]


def label_text(label: object) -> str:
    """The name of a label; 1.0, which is how pandas writes 1 where some are missing, is 1."""
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)


def _alike(values: Array, known: Array) -> tuple[Array, Array]:
    """Labels in the type of the known ones, and which of them cannot be: one bad label makes a column text."""
    unlike = np.zeros(len(values), bool)
    if known.dtype.kind in "US" and values.dtype.kind not in "US":
        return np.array([label_text(value) for value in values.tolist()]), unlike
    if known.dtype.kind not in "US" and values.dtype.kind in "US":
        unlike = np.array([not is_number(text) for text in values.tolist()], bool)
        return np.where(unlike, "nan", values).astype(np.float64), unlike
    return values, unlike


def _ids(values: Array, classes: list[str], origin: str, whose: str) -> Array:
    """The place of each label among given classes. Raises DataError."""
    labels, rows = np.unique(values, return_inverse=True)
    known = {name: i for i, name in enumerate(classes)}
    ids = np.array([known.get(label_text(label), -1) for label in labels.tolist()], np.int64)[rows]
    unseen = np.flatnonzero(ids < 0)
    if len(unseen):
        row = int(unseen[0])
        raise DataError(
            f"{origin}, row {row + 1}: label {label_text(values[row])!r} is none of {whose}: {', '.join(classes[:20])}"
        )
    return ids
