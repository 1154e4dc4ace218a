"""Softmax over rows (n, K), and the cross-entropy of the class that each row should have."""

from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array

__all__ = ["class_log", "class_slope", "softmax"]

SMALLEST = 1e-25  # a probability below this has lost digits on its way to 0


def softmax(x: Array, y: Array, row: Array) -> None:
    """y_i = e^(x_i − max x) / Σ_j e^(x_j − max x); `row` (n, 1) is scratch memory. y may be x."""
    np.maximum.reduce(x, axis=-1, keepdims=True, out=row)
    np.subtract(x, row, out=y)
    np.exp(y, out=y)
    np.add.reduce(y, axis=-1, keepdims=True, out=row)
    np.divide(y, row, out=y)


def class_log(z: Array, p: Array, places: Array, chosen: Array, log: Array, row: Array) -> None:
    """log p of one class a row into `chosen` (n,); `places` (n,) says where, in the flattened p = softmax z.

    Where p has lost digits it comes from the logits, as z − z_k + log p_k for the likeliest k, which no
    underflow can touch. `log` (n, K) and `row` (n, 1) are scratch memory.
    """
    p.take(places, out=chosen, mode="clip")
    if np.minimum.reduce(chosen) > SMALLEST:
        np.log(chosen, out=chosen)
        return
    np.max(z, axis=-1, keepdims=True, out=row)
    np.subtract(z, row, out=log)
    np.max(p, axis=-1, keepdims=True, out=row)
    np.log(row, out=row)
    np.add(log, row, out=log)
    log.take(places, out=chosen, mode="clip")


def class_slope(p: Array, places: Array, dz: Array, chosen: Array) -> None:
    """dz = (p − t)/n, t being 1 at each row's place; `chosen` (n,) is scratch memory."""
    scale = 1.0 / len(places)
    p.take(places, out=chosen, mode="clip")
    np.subtract(chosen, 1, out=chosen)
    np.multiply(chosen, scale, out=chosen)
    np.multiply(p, scale, out=dz)
    dz.put(places, chosen)
