"""The decisions and learnt values from loading a dataset, to be kept with the model."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_cli.data.dataset import Dataset
from backprop_cli.data.fingerprint import fingerprint
from backprop_cli.data.schema import TEXT, Schema


def schema_of(dataset: Dataset) -> Schema:
    """What a dataset has settled, to be kept with the model."""
    first = next(iter(dataset.splits.values()))
    return Schema(
        shape=first.x.shape[1:],
        dtype=_name(first.x.dtype),
        target_shape=first.y.shape[1:],
        target_dtype=_name(first.y.dtype),
        features=dataset.features,
        targets=dataset.targets,
        classes=dataset.classes,
        table=dataset.table,
        weight=dataset.weight,
        series=dataset.series,
        images=dataset.images,
        sounds=dataset.sounds,
        text=dataset.text,
        fingerprint=fingerprint(dataset),
    )


def _name(dtype: np.dtype[Any]) -> str:
    return TEXT if dtype.kind in "SUO" else dtype.name
