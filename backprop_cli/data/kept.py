"""Checks that transforms keep the padding which a `masking` layer at the network's input looks for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from backprop_cli.data.arrays import Shape
from backprop_cli.data.batches import Batches
from backprop_cli.data.dataset import Split
from backprop_cli.data.padding import padding
from backprop_cli.data.transform import Transform
from backprop_cli.errors import BuildError

_LOOKED_AT = 4096  # rows


def keep(transforms: Sequence[Transform], value: float) -> list[str]:
    """Let transforms that learn pass over padding of this value, unless told another; what to say of it."""
    said = []
    for index, transform in enumerate(transforms):
        if getattr(transform, "mask_value", 0.0) is None:
            transform.mask_value = value  # type: ignore[attr-defined]  # it has one: just asked
            said.append(
                f"dataset.transforms.{index}: {transform.type_name} does not count steps that are {value:g} "
                f"throughout, which masking takes for padding, and leaves them as they are (mask_value: {value:g})"
            )
    return said


def check_kept(
    split: Split, transforms: Sequence[Transform], shape: Shape, dtype: np.dtype[np.floating], value: float
) -> None:
    """Raise BuildError where the data have such padding, and the network, which takes rows of `shape`, would not
    have it behind the transforms. `dtype` is the network's."""
    if len(shape) != 2 or math.prod(split.x.shape[1:]) != math.prod(shape):
        return
    raw = np.asarray(split.x[:_LOOKED_AT])
    padded = padding(raw.reshape(len(raw), *shape), value)
    if padded is None or not padded.any():
        return
    empty = Split(np.full((2, *split.x.shape[1:]), value, split.x.dtype), np.asarray(split.y[:2]))
    for augment in (False, True):
        batches = Batches(empty, 2, transforms=transforms, shuffle=False, dtype=dtype, augment=augment, prefetch=False)
        after = padding(next(iter(batches.epoch(1)))[0], value)
        if after is not None and not after.all():
            raise BuildError(
                f"the data have steps of padding, {value:g} throughout, which masking could not find behind the "
                "transforms; leave out those that change them, and put reshape before those that learn"
            )
