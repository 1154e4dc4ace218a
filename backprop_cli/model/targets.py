"""The targets of a dataset as the network is trained on them, after the transforms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backprop_cli.data.batches import Batches
from backprop_cli.data.dataset import Dataset, Split
from backprop_cli.data.transform import Transform
from backprop_cli.engine.targets import Targets

SAMPLED = 256  # rows whose targets are looked at after the transforms


def targets_of(dataset: Dataset, transforms: Sequence[Transform], dtype: np.dtype[Any]) -> Targets:
    """What the targets of the training split are: of all rows where no transform changes them, else of some, with an
    example of every class among them."""
    split = dataset.splits.get("train") or next(iter(dataset.splits.values()))
    rows = np.arange(min(len(split), SAMPLED))
    if split.y.dtype.kind in "iub" and split.y.ndim == 1:
        rows = np.union1d(rows, np.unique(split.y, return_index=True)[1])
    some = Split(split.x[rows], split.y[rows])
    batches = Batches(some, len(rows), transforms=transforms, shuffle=False, dtype=dtype, augment=False, prefetch=False)
    _, y = next(iter(batches.epoch(0)))
    if any(step.new_targets for step in transforms):
        return Targets.of(y)
    untouched = y.shape == some.y.shape and np.array_equal(y, some.y.astype(y.dtype))
    return Targets.of(split.y if untouched else y, tuple(dataset.classes or ()), tuple(dataset.targets))
