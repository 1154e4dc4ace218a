"""Activations of several passes over arrays of one shape. y may be x, and dx dy, except for silu's."""

from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array

__all__ = [
    "leaky_relu",
    "leaky_relu_gradient",
    "sigmoid",
    "sigmoid_gradient",
    "silu",
    "silu_gradient",
    "tanh",
    "tanh_gradient",
]


def sigmoid(x: Array, y: Array) -> None:
    """y = σ(x) = (1 + tanh(x/2)) / 2"""
    np.multiply(x, 0.5, out=y)
    np.tanh(y, out=y)
    np.multiply(y, 0.5, out=y)
    np.add(y, 0.5, out=y)


def sigmoid_gradient(y: Array, dy: Array, dx: Array, slope: Array) -> None:
    """dx = dy ⊙ y (1 − y); `slope`, like y, is scratch memory."""
    np.subtract(1, y, out=slope)
    np.multiply(slope, y, out=slope)
    np.multiply(dy, slope, out=dx)


def tanh(x: Array, y: Array) -> None:
    """y = tanh x"""
    np.tanh(x, out=y)


def tanh_gradient(y: Array, dy: Array, dx: Array, slope: Array) -> None:
    """dx = dy ⊙ (1 − y²); `slope`, like y, is scratch memory."""
    np.multiply(y, y, out=slope)
    np.subtract(1, slope, out=slope)
    np.multiply(dy, slope, out=dx)


def silu(x: Array, y: Array, share: Array) -> None:
    """y = x σ(x); `share`, like x, is scratch memory."""
    sigmoid(x, share)
    np.multiply(x, share, out=y)


def silu_gradient(x: Array, dy: Array, dx: Array, share: Array, part: Array) -> None:
    """dx = dy ⊙ σ(x) (1 + x (1 − σ(x))); `share` and `part`, like x, are scratch memory."""
    sigmoid(x, share)
    np.subtract(1, share, out=part)
    np.multiply(part, x, out=part)
    np.add(part, 1, out=part)
    np.multiply(part, share, out=part)
    np.multiply(dy, part, out=dx)


def leaky_relu(x: Array, y: Array, negative_slope: float, part: Array) -> None:
    """y = x where x > 0, else `negative_slope` x, from 0 to 1; `part`, like x, is scratch memory."""
    np.multiply(x, negative_slope, out=part)
    np.maximum(x, part, out=y)


def leaky_relu_gradient(y: Array, dy: Array, dx: Array, negative_slope: float, part: Array) -> None:
    """dx = dy where y > 0, else `negative_slope` dy; `part`, like y, is scratch memory."""
    np.greater(y, 0, out=part)
    np.maximum(part, negative_slope, out=part)
    np.multiply(dy, part, out=dx)
