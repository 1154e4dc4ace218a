"""From labels as people write them to class ids 0, 1, …"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from backprop_cli.data.dataset import Array, Split
from backprop_cli.errors import DataError

MAX_INTEGER_CLASSES = 50


def are_classes(values: Array, task: str | None) -> bool:
    """Whether a target column holds classes: as `task` says, or text, booleans and few integers."""
    if task is not None:
        return task == "classification"
    if values.dtype.kind in "iu":
        return len(np.unique(values)) <= MAX_INTEGER_CLASSES
    return values.dtype.kind not in "f"


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


def encode(parts: Mapping[str, Array], place: Mapping[str, str]) -> tuple[dict[str, Array], list[str]]:
    """Class ids of every part and the class names, sorted; `place` names a part in messages.

    The classes are those of `train` (of the first part without one). Raises DataError for a label
    that it does not have, with the row counted from 1.
    """
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
