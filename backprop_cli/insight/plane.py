"""What a network of two inputs says over their plane: places of a grid, and outputs as something to colour them by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.reading import Reading


def axis(values: Array, cells: int) -> Array:
    """Evenly spaced numbers (cells,) from a little below the smallest value to a little above the largest."""
    low, high = float(values.min()), float(values.max())
    margin = 0.12 * (high - low) or max(1.0, 0.12 * abs(high))
    return np.linspace(low - margin, high + margin, cells)


def grid(first: Array, second: Array) -> Array:
    """The points (x₁, x₂) of a plane, row after row, the first axis running fastest: (len(first) · len(second), 2)."""
    return np.stack(np.meshgrid(first, second), axis=-1).reshape(-1, 2)


def yes(reading: Reading, z: Array) -> tuple[Array, float, float]:
    """Of one output that says yes or no: its values, probabilities where there are any; the value between yes and no;
    and how far from it values may be."""
    p = reading.probabilities(z)
    if p is not None:
        return p, 0.5, 0.5
    return z, reading.threshold, max(float(np.abs(z - reading.threshold).max()), 1e-12)


def winners(reading: Reading, z: Array) -> tuple[Array, Array, Array]:
    """Of outputs (N, K) that compete: probabilities, the largest one's place, and from 0 to 1 how sure that is."""
    p = reading.probabilities(z)
    if p is None:  # of scores only the order is known
        p = replace(reading, scale="logits").probabilities(z)
        assert p is not None
    k = p.shape[-1]
    return p, p.argmax(axis=1), np.clip((p.max(axis=1) - 1 / k) / (1 - 1 / k), 0, 1)
