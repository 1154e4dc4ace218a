"""Bias and ReLU of a matrix product's rows, and their gradients. Rows are (n, O), b is (O,)."""

from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array

__all__ = ["add_bias", "add_bias_relu", "bias_gradient", "bias_relu_gradient"]


def add_bias(z: Array, b: Array) -> None:
    """z ← z + b"""
    np.add(z, b, out=z)


def add_bias_relu(z: Array, b: Array) -> None:
    """z ← max(0, z + b)"""
    np.add(z, b, out=z)
    np.maximum(z, 0, out=z)


def bias_gradient(dz: Array, db: Array) -> None:
    """db = Σ dz over the rows"""
    np.add.reduce(dz, axis=0, out=db)


def bias_relu_gradient(y: Array, dy: Array, db: Array, positive: Array) -> None:
    """dy ← dy where y > 0, else 0, and db = Σ dy; `positive`, booleans like y, is scratch memory."""
    np.greater(y, 0, out=positive)
    np.multiply(dy, positive, out=dy)
    np.add.reduce(dy, axis=0, out=db)
