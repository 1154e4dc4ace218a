"""From labels as people write them to class ids 0, 1, …"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from backprop_cli.data.dataset import Array, Split
from backprop_cli.errors import DataError

if TYPE_CHECKING:
    from backprop_cli.data.schema import Schema

MAX_INTEGER_CLASSES = 50


def are_classes(values: Array, task: str | None) -> bool:
    """Whether a target column holds classes: as `task` says, or text, booleans and few integers."""
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
                f"split {name} has {rows} rows of class {classes[unseen[0]]!r}, split train "
                "has none; give train a larger share, or drop the class"
            )


def encode(
    parts: Mapping[str, Array], place: Mapping[str, str], classes: list[str] | None = None
) -> tuple[dict[str, Array], list[str]]:
    """Class ids of every part and the class names, sorted; `place` names a part in messages.

    The classes are those given, which a model has learnt, else those of `train` (of the first part without one).
    Raises DataError for a label that is not among them, with the row counted from 1.
    """
    if classes is not None:
        return {name: _ids(values, classes, place[name]) for name, values in parts.items()}, classes
    first = "train" if "train" in parts else next(iter(parts))
    known = np.unique(parts[first])
    ids: dict[str, Array] = {}
    for name, values in parts.items():
        at = np.searchsorted(known, values).clip(max=len(known) - 1)
        unseen = np.flatnonzero(known[at] != values)
        if len(unseen):
            row = int(unseen[0])
            raise DataError(
                f"{place[name]}, row {row + 1}: label {str(values[row])!r} never occurs in {place[first]}, whose "
                f"labels are {', '.join(str(label) for label in known[:20])}; add such rows to it or drop this one"
            )
        ids[name] = at.astype(np.int64)
    return ids, [str(label) for label in known]


def _ids(values: Array, classes: list[str], place: str) -> Array:
    """The place of each label among the classes of a model. Raises DataError."""
    labels, rows = np.unique(values, return_inverse=True)
    known = {name: i for i, name in enumerate(classes)}
    ids = np.array([known.get(str(label), -1) for label in labels], np.int64)[rows]
    unseen = np.flatnonzero(ids < 0)
    if len(unseen):
        row = int(unseen[0])
        raise DataError(
            f"{place}, row {row + 1}: label {str(values[row])!r} is none of the classes that the model has learnt: "
            f"{', '.join(classes[:20])}"
        )
    return ids
