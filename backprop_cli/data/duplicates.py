"""Rows that are in two splits: a measurement on them uses rows seen in training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.dataset import Split
from backprop_cli.data.gather import is_large

_BLOCK = 1 << 22  # bytes that are looked at at once


def across(parts: Mapping[str, Split]) -> Iterator[str]:
    """A sentence about each split that has rows of the training split, x and y alike. Not of large files."""
    train = parts.get("train")
    if train is None or any(is_large(part.x) for part in parts.values()):
        return
    seen = np.sort(_digests(train))
    for name, part in parts.items():
        if name != "train":
            own = _digests(part)
            again = seen[np.searchsorted(seen, own).clip(max=len(seen) - 1)] == own
            if again.any():
                row = int(np.flatnonzero(again)[0])
                number = "" if part.rows is None else f", such as row {part.rows[row] + 1} of the file"
                yield (
                    f"{int(again.sum()):,} of {len(part):,} rows of {name} stand in train, too{number}: they measure "
                    "what has been learnt by heart; drop them, or keep what belongs together in one split with "
                    "dataset.group"
                )


def _digests(split: Split) -> Array:
    """A number for each row of x and y, equal where both are. Of 64 bits: two of a million rows meet by chance once
    in 40 million files."""
    y = np.asarray(split.y).reshape(len(split), -1)
    return _hashed(split.x) * np.uint64(0x9E3779B97F4A7C15) + _hashed(y)


def _hashed(x: Array) -> Array:
    rows = np.ascontiguousarray(x).reshape(len(x), -1)
    width = rows.shape[1] * rows.dtype.itemsize
    words = -(-width // 8)
    factors = np.random.Generator(np.random.PCG64(words)).integers(1, 1 << 63, words, np.uint64) * 2 + 1
    hashes = np.empty(len(rows), np.uint64)
    step = max(1, _BLOCK // max(8, 8 * words))
    for first in range(0, len(rows), step):
        block = rows[first : first + step]
        raw = block.view(np.uint8).reshape(len(block), width) if width % 8 else block.view(np.uint64)
        if width % 8:
            padded = np.zeros((len(block), 8 * words), np.uint8)
            padded[:, :width] = raw
            raw = padded.view(np.uint64)
        mixed = raw * factors
        mixed ^= mixed >> np.uint64(29)
        hashes[first : first + step] = (mixed * factors[::-1]).sum(axis=1, dtype=np.uint64)
    return hashes
