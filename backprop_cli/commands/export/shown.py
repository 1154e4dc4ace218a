"""What layers do, written for reading: `bp export --to numpy` copies the functions that a network needs.

Images are (N, H, W, C), sequences (N, T, F), rows (N, F).
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy's


def dense(x: Array, W: Array, b: Array = 0) -> Array:
    """Every output is a weighted sum of all inputs, and a bias."""
    return x @ W + b


def windows(x: Array, kernel: tuple[int, int], strides: tuple[int, int], dilation: tuple[int, int]) -> Array:
    """All places of a window in images (N, H, W, C), as (N, H', W', kh, kw, C)."""
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(1, 2))  # (N, H'', W'', C, rh, rw)
    seen = seen[:, :: strides[0], :: strides[1], :, :: dilation[0], :: dilation[1]]
    return seen.transpose(0, 1, 2, 4, 5, 3)


def pad(x: Array, rows: tuple[int, int], columns: tuple[int, int], value: float = 0) -> Array:
    """A border around images."""
    return np.pad(x, ((0, 0), rows, columns, (0, 0)), constant_values=value)


def conv2d(
    x: Array,
    W: Array,
    b: Array = 0,
    strides: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> Array:
    """The kernel W (kh, kw, C/groups, O) at every place of the image: a weighted sum of what the window shows."""
    seen = windows(x, W.shape[:2], strides, dilation)
    parts = [
        np.einsum("nhwijc,ijco->nhwo", some, kernel)
        for some, kernel in zip(np.split(seen, groups, axis=-1), np.split(W, groups, axis=-1), strict=True)
    ]
    return np.concatenate(parts, axis=-1) + b


def conv2d_transpose(
    x: Array,
    W: Array,
    b: Array = 0,
    size: tuple[int, int] = (1, 1),
    strides: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    cut: tuple[int, int] = (0, 0),
) -> Array:
    """Every pixel writes the kernel W (kh, kw, O, C), scaled, into its window of the output of that size."""
    n, h, w, _ = x.shape
    kh, kw, outputs, _ = W.shape
    (s, t), (d, e), (top, left) = strides, dilation, cut
    rows, columns = max(h * s + d * kh, top + size[0]), max(w * t + e * kw, left + size[1])
    y = np.zeros((n, rows, columns, outputs), x.dtype)
    for i in range(kh):
        for j in range(kw):
            y[:, i * d : i * d + h * s : s, j * e : j * e + w * t : t] += x @ W[i, j].T
    return y[:, top : top + size[0], left : left + size[1]] + b


def max_pool2d(x: Array, size: tuple[int, int], strides: tuple[int, int]) -> Array:
    """The largest number in each window."""
    return windows(x, size, strides, (1, 1)).max(axis=(3, 4))


def avg_pool2d(x: Array, size: tuple[int, int], strides: tuple[int, int]) -> Array:
    """The mean of each window."""
    return windows(x, size, strides, (1, 1)).mean(axis=(3, 4))


def upsample(x: Array, down: int, across: int) -> Array:
    """Images that many times larger, linearly interpolated between the centres of pixels."""

    def shares(size: int, factor: int) -> Array:
        centres = np.clip((np.arange(size * factor) + 0.5) / factor - 0.5, 0, size - 1)
        return np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(size)))

    A, B = shares(x.shape[1], down), shares(x.shape[2], across)
    return np.einsum("ph,nhwc,qw->npqc", A, x, B).astype(x.dtype)


def batch_norm(
    x: Array, mean: Array, variance: Array, gamma: Array = 1, beta: Array = 0, epsilon: float = 1e-5
) -> Array:
    """Each channel to mean 0 and variance 1, as it was in training, then scaled and shifted."""
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


def layer_norm(x: Array, gamma: Array = 1, beta: Array = 0, epsilon: float = 1e-5) -> Array:
    """Each row to mean 0 and variance 1, then scaled and shifted."""
    mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


def group_norm(x: Array, groups: int, gamma: Array = 1, beta: Array = 0, epsilon: float = 1e-5) -> Array:
    """Each group of channels to mean 0 and variance 1 over all places, then scaled and shifted."""
    parts = x.reshape(len(x), -1, groups, x.shape[-1] // groups)
    mean, variance = parts.mean(axis=(1, 3), keepdims=True), parts.var(axis=(1, 3), keepdims=True)
    return ((parts - mean) / np.sqrt(variance + epsilon)).reshape(x.shape) * gamma + beta


def rms_norm(x: Array, gamma: Array, epsilon: float = 1e-6) -> Array:
    """Each row divided by its root mean square, then scaled."""
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + epsilon) * gamma


def categories(x: Array, W: Array, numbers: list[int], columns: dict[int, int]) -> Array:
    """The columns of numbers, then for each column of codes the vectors of its categories; zeros below code 0."""
    parts, start = [x[:, numbers]], 0
    for column, count in columns.items():
        codes = np.rint(x[:, column]).astype(int)
        parts.append(np.where(codes[:, None] < 0, 0, W[start + codes]))
        start += count
    return np.concatenate(parts, axis=1)


def waves(x: Array, F: Array, b: Array, V: Array, c: Array) -> Array:
    """Each number, and a weighted sum of its cosines at the frequencies F, beside one another."""
    p = np.cos(2 * np.pi * (x[:, :, None] * F + b))
    y = np.concatenate([x[:, :, None], np.einsum("nkh,khd->nkd", p, V) + c], axis=2)
    return y.reshape(len(x), -1)


def flatten(x: Array) -> Array:
    """All numbers of an example in one row."""
    return x.reshape(len(x), -1)


def places(x: Array) -> tuple[int, ...]:
    """The axes between the batch and the channels."""
    return tuple(range(1, x.ndim - 1))


def global_avg_pool(x: Array) -> Array:
    """The mean of each channel over all places."""
    return x.mean(axis=places(x))


def global_max_pool(x: Array) -> Array:
    """The largest number of each channel over all places."""
    return x.max(axis=places(x))


def relu(x: Array) -> Array:
    """max(0, x)."""
    return np.maximum(x, 0)


def leaky_relu(x: Array, slope: Array = 0.01) -> Array:
    """x where x > 0, else slope · x."""
    return np.where(x > 0, x, slope * x)


def elu(x: Array, alpha: float = 1.0) -> Array:
    """x where x > 0, else alpha · (exp(x) − 1)."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def selu(x: Array) -> Array:
    """λ · elu(x, α) with α = 1.6733 and λ = 1.0507."""
    return 1.0507009873554805 * elu(x, 1.6732632423543772)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(−x))."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)  # 1 / (1 + exp(−x)), which cannot overflow so


def hard_sigmoid(x: Array) -> Array:
    """min(max(x/6 + 1/2, 0), 1)."""
    return np.clip(x / 6 + 0.5, 0, 1)


def hard_swish(x: Array) -> Array:
    """x · hard_sigmoid(x)."""
    return x * hard_sigmoid(x)


def silu(x: Array) -> Array:
    """x · sigmoid(x)."""
    return x * sigmoid(x)


def tanh(x: Array) -> Array:
    """(exp(x) − exp(−x)) / (exp(x) + exp(−x))."""
    return np.tanh(x)


def softplus(x: Array) -> Array:
    """log(1 + exp(x))."""
    return np.logaddexp(x, 0)


def softsign(x: Array) -> Array:
    """x / (1 + |x|)."""
    return x / (1 + np.abs(x))


def mish(x: Array) -> Array:
    """x · tanh u with u = softplus(x)."""
    return x * np.tanh(softplus(x))


def gelu(x: Array) -> Array:
    """x times the share of a normal distribution below x."""
    from math import erf

    return x * (0.5 + 0.5 * np.vectorize(erf, otypes=[float])(x / np.sqrt(2))).astype(x.dtype)


def gelu_tanh(x: Array) -> Array:
    """x/2 · (1 + tanh u) with u = √(2/π) · (x + 0.044715 x³)."""
    return x * (0.5 + 0.5 * np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))).astype(x.dtype)


def softmax(x: Array) -> Array:
    """Exponentials that sum to one; the largest is subtracted first, so that none overflows."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def log_softmax(x: Array) -> Array:
    """x − log Σ exp(x) over the last axis; the largest is subtracted first, so that none overflows."""
    x = x - x.max(axis=-1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))
