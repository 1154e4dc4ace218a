"""Every compiled kernel against its NumPy reference, over shapes and values that nobody chose."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backprop_cli.engine import kernels
from backprop_cli.engine.kernels import compiled
from backprop_cli.engine.kernels.compiled import set_threads
from backprop_cli.engine.window import Axis, axes

Array = Any
CASES: dict[str, Any] = {}
RTOL = {"float32": 2e-5, "float64": 1e-12}


def case(make: Any) -> Any:
    """Files a maker of arguments under its kernel's name: (rng, dtype, a, b, c) -> list of arguments."""
    CASES[make.__name__] = make
    return make


def normal(rng: Any, dtype: str, *shape: int) -> Array:
    return (rng.normal(size=shape) * 2).astype(dtype)


@case
def add(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    a, b = (normal(rng, dtype, n, k, c) for _ in range(2))
    return [a, b, a if c % 2 else np.empty_like(a)]


@case
def copy(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    return [normal(rng, dtype, n, k, c), np.empty((n, k, c), dtype)]


@case
def relu(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    x = normal(rng, dtype, n, k, c)
    return [x, x if c % 2 else np.empty_like(x)]


@case
def relu_gradient(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    y, dy = (normal(rng, dtype, n, k, c) for _ in range(2))
    return [y, dy, dy if c % 2 else np.empty_like(y), Scratch(y.shape, bool)]


@case
def add_bias(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    return [normal(rng, dtype, n, k), normal(rng, dtype, k)]


@case
def add_bias_relu(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    return add_bias(rng, dtype, n, k, c)


@case
def bias_gradient(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    return [normal(rng, dtype, n, k), np.empty(k, dtype)]


@case
def bias_relu_gradient(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    return [normal(rng, dtype, n, k), normal(rng, dtype, n, k), np.empty(k, dtype), Scratch((n, k), bool)]


@case
def softmax(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    return [normal(rng, dtype, n, k) * c**2, np.empty((n, k), dtype), Scratch((n, 1), dtype)]


@case
def class_log(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    z = normal(rng, dtype, n, k) * c**2
    p = np.empty_like(z)
    kernels.load("numpy").softmax(z, p, np.empty((n, 1), dtype))
    return [z, p, places(rng, n, k), np.empty(n, dtype), Scratch((n, k), dtype), Scratch((n, 1), dtype)]


@case
def class_slope(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    return [np.abs(normal(rng, dtype, n, k)), places(rng, n, k), np.empty((n, k), dtype), Scratch((n,), dtype)]


@case
def gather(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    return [normal(rng, dtype, n + c, k), rng.integers(0, n + c, n), np.empty((n, k), dtype)]


@case
def gather_scaled(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    source, rows = rng.integers(0, 256, (n + c, k)).astype(np.uint8), rng.integers(0, n + c, n)
    return [source, rows, rows[::-1].copy(), 1 / 255, float(c % 2), Scratch((n, k), np.uint8), np.empty((n, k), dtype)]


@case
def right_classes(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    """Few different numbers, so that some are equal, and every other time NaN."""
    y = rng.integers(-1, 2, (n, k)).astype(dtype)
    y[rng.random((n, k)) < 0.1 * (c % 2)] = np.nan
    return [y, rng.integers(0, k, n), np.zeros(1, np.int64)]


@case
def right_labels(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    t = rng.integers(0, 2, (n, k))
    return [normal(rng, dtype, n, k), t if c % 2 else t.astype(dtype), c / 4, np.zeros(1, np.int64)]


@case
def inner(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    length = n * (1 if c % 2 else 5_000)
    return [rng.random(length).astype(dtype) for _ in range(2)]


@case
def lstm_walk(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    """c steps; every other time of enough rows for several shares."""
    n = n if c % 2 else 64 + n
    states = [np.concatenate([normal(rng, dtype, 1, n, k), np.zeros((c, n, k), dtype)]) for _ in range(2)]
    z, U, zh = normal(rng, dtype, c, n, 4 * k), normal(rng, dtype, k, 4 * k), Scratch((n, 4 * k), dtype)
    return [z, U, zh, *states, np.zeros((c, n, k), dtype), bool(rng.integers(2))]


@case
def lstm_walk_back(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    z, U, zh, h, cells, tanh_c, from_zero = lstm_walk(rng, dtype, n, k, c)
    kernels.load("numpy").lstm_walk(z, U, zh.make(), h, cells, tanh_c, from_zero)
    n = z.shape[1]
    dys = normal(rng, dtype, n, c, k).swapaxes(0, 1)[::-1] if rng.integers(2) else None
    carry, scratch = [normal(rng, dtype, n, k) for _ in range(2)], [Scratch((4, n, k), dtype) for _ in range(2)]
    Ut, cells = normal(rng, dtype, 4 * k, k), cells[: c + int(rng.integers(2))]  # the last state is not needed
    return [dys, *carry, z, cells, tanh_c, Ut, *scratch, from_zero]


@case
def gru_walk(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    n = n if c % 2 else 64 + n
    h = np.concatenate([normal(rng, dtype, 1, n, k), np.zeros((c, n, k), dtype)])
    U = normal(rng, dtype, k, 3 * k) / k  # larger ones make more of the last bit at every step
    z, zh = normal(rng, dtype, c, n, 3 * k), Scratch((n, 3 * k), dtype)
    bias = normal(rng, dtype, k) if rng.integers(2) else None
    return [z, U, bias, zh, h, np.zeros((c, 3, n, k), dtype), np.zeros((c, n, k), dtype)]


@case
def gru_walk_back(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    z, U, bias, zh, h, gates, inner = gru_walk(rng, dtype, n, k, c)
    kernels.load("numpy").gru_walk(z, U, bias, zh.make(), h, gates, inner)
    n = z.shape[1]
    dys = normal(rng, dtype, n, c, k).swapaxes(0, 1)[::-1] if rng.integers(2) else None
    scratch = [Scratch(shape, dtype) for shape in ((n, k), (3, n, k), (n, k))]
    Ut, h = normal(rng, dtype, 3 * k, k), h[: c + int(rng.integers(2))]
    return [dys, normal(rng, dtype, n, k), gates, h, inner, np.empty_like(z), np.empty_like(z), Ut, *scratch]


@case
def add_channels(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    return [normal(rng, dtype, n, c, k), normal(rng, dtype, k), Scratch((c, k), dtype)]


@case
def add_channels_relu(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    return add_channels(rng, dtype, n, k, c)


@case
def sum_channels(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    return [normal(rng, dtype, n, c, k), np.empty(k, dtype), Scratch((c, k), dtype)]


@case
def channels_relu_gradient(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    y, dy = normal(rng, dtype, n, c, k), normal(rng, dtype, n, c, k)
    return [y, dy, np.empty(k, dtype), Scratch((c, k), dtype), Scratch((n, c, k), bool)]


def window(rng: Any, n: int, k: int) -> tuple[Axis, Axis]:
    """Two axes with kernels, strides, and padding smaller than the kernel; every other time 2 × 2 side by side."""
    if rng.integers(2):
        return axes((n + 3, k + 3), 2, 2)
    kernel, stride, before = int(rng.integers(1, 4)), int(rng.integers(1, 4)), int(rng.integers(0, 2))
    padding = [min(before, kernel - 1), int(rng.integers(0, kernel))]
    return axes((n + 3, k + 3), kernel, stride, [padding, [0, 0]])


@case
def matmul(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    """Small and large, plain and transposed, columns of a wider matrix."""
    if c % 2:
        n, k, c = 30 * n, 30 * k, 40 * c
    a = normal(rng, dtype, c, n).T if rng.integers(2) else normal(rng, dtype, n, c + 2)[:, 1:-1]
    b = normal(rng, dtype, k, c).T if rng.integers(2) else normal(rng, dtype, c, k + 2)[:, 1:-1]
    return [a, b, np.empty((n, k), dtype)]


def convolved(rng: Any, dtype: str, n: int, k: int, c: int) -> tuple[Any, ...]:
    """Windows; x and z, one of two groups of channels; W; memory for a few images at a time."""
    rows, columns = window(rng, n // 4, k // 2)
    c *= int(rng.choice([1, 1, 8, 16]))  # rows of windows that fill registers
    images, filters, places = int(rng.integers(1, 12)), int(rng.choice([1, 3, 5, 12, 40])), rows.out * columns.out
    depth = rows.kernel * columns.kernel * c
    whole = not (rows.padded or columns.padded) and bool(rng.integers(2))
    x = normal(rng, dtype, images, rows.size, columns.size, c if whole else 2 * c)[..., -c:]
    z = normal(rng, dtype, images * places, 2 * filters)[:, filters:]
    W = normal(rng, dtype, depth, filters)
    high, wide = (axis.size + axis.before + axis.after for axis in (rows, columns))
    at_once = 4 * int(rng.integers(1, 3))
    frames = (
        filters
        * (rows.size + (rows.kernel - 1) * rows.dilation)
        * (columns.size + (columns.kernel - 1) * columns.dilation)
    )
    numbers = max(at_once * places * depth, 32 * depth, 32 * -(-c // 32) * depth * filters // c + 4 * frames)
    patches = Scratch((numbers,), dtype)
    padded = None if whole else Scratch((at_once, high, wide, c), dtype)
    return x, W, z, patches, padded, rows, columns


@case
def convolve(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    return list(convolved(rng, dtype, n, k, c))


@case
def kernel_gradient(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    x, W, delta, patches, padded, rows, columns = convolved(rng, dtype, n, k, c)
    partial = Scratch((4, *W.shape), dtype)
    return [x, delta, np.empty_like(W), patches, padded, partial, rows, columns]


@case
def input_gradient(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    x, W, delta, patches, padded, rows, columns = convolved(rng, dtype, n, k, c)
    c = x.shape[-1]
    dx = np.empty(x.shape, dtype) if padded is None else np.empty((*x.shape[:-1], 2 * c), dtype)[..., c:]
    return [delta, W, dx, patches, padded, rows, columns]


def pooled(rng: Any, dtype: str, n: int, k: int, c: int) -> tuple[Any, ...]:
    """Windows, x of few different values, so that some are equal, and what max_pool leaves of it."""
    rows, columns = window(rng, n, k)
    x = rng.integers(-3, 4, (2, rows.size, columns.size, c)).astype(dtype)
    middle = np.zeros((2, rows.size, columns.out, c), dtype)
    y = np.zeros((2, rows.out, columns.out, c), dtype)
    kernels.load("numpy").max_pool(x, middle, y, rows, columns)
    return rows, columns, x, middle, y


@case
def max_pool(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    rows, columns, x, middle, y = pooled(rng, dtype, n, k, c)
    return [x, Scratch(middle.shape, dtype), np.empty_like(y), rows, columns]


@case
def max_pool_gradient(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    rows, columns, x, middle, y = pooled(rng, dtype, n, k, c)
    part = Scratch((max(middle.size, y.size),), dtype)
    dy = Scratch(y.shape, dtype, normal(rng, dtype, *y.shape))
    return [x, middle, y, dy, np.empty_like(x), Scratch(middle.shape, dtype), part, rows, columns]


@case
def avg_pool(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    rows, columns, x, middle, y = pooled(rng, dtype, n, k, c)
    scale = normal(rng, dtype, rows.out, columns.out, 1)
    return [x, Scratch(middle.shape, dtype), np.empty_like(y), scale, rows, columns]


@case
def avg_pool_gradient(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    rows, columns, x, middle, y = pooled(rng, dtype, n, k, c)
    scale, dy = normal(rng, dtype, rows.out, columns.out, 1), Scratch(y.shape, dtype, normal(rng, dtype, *y.shape))
    return [dy, np.empty_like(x), Scratch(middle.shape, dtype), scale, rows, columns]


@case
def gru_gates(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    return [normal(rng, dtype, n, 3 * k), normal(rng, dtype, n, 3 * k), np.empty((2, n, k), dtype)]


@case
def gru_mix(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    return [rng.random((n, k)).astype(dtype), *(normal(rng, dtype, n, k) for _ in range(2)), np.empty((n, k), dtype)]


@case
def gru_unmix(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    gates, dgates = rng.random((3, n, k)).astype(dtype), np.zeros((3, n, k), dtype)
    return [normal(rng, dtype, n, k), gates, normal(rng, dtype, n, k), dgates, Scratch((n, k), dtype)]


def heads(rng: Any, dtype: str, n: int, steps: int, width: int) -> Array:
    """(n, 2, steps, width), as attention has them: heads beside each other."""
    return normal(rng, dtype, n, steps, 2, width).swapaxes(1, 2)


@case
def attention(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    steps, seen, width = c, (k % 23) + 1, (n % 19) + 1
    q, o = (heads(rng, dtype, 3, steps, width) for _ in range(2))
    keys, v = (heads(rng, dtype, 3, seen, width) for _ in range(2))
    future = normal(rng, dtype, steps, seen) if rng.integers(2) else None
    penalty = normal(rng, dtype, 3, seen) if rng.integers(2) else None
    noise = normal(rng, dtype, 3, 2, steps, seen) if rng.integers(2) else None
    scratch = [Scratch((3, 2, steps, size), dtype) for size in (seen, 1)]
    return [q, keys, v, np.empty((3, 2, steps, seen), dtype), o, future, penalty, noise, *scratch]


@case
def attention_gradient(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    q, keys, v, p, do, _, _, noise, dp, row = attention(rng, dtype, n, k, c)
    p = rng.random(p.shape).astype(dtype)
    return [q, keys, v, p, do, *(np.empty_like(array) for array in (q, keys, v)), noise, dp, row, 0.5]


@case
def add_matmul(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    a, b, out = matmul(rng, dtype, n, k, c)
    return [a, b, normal(rng, dtype, *out.shape), Scratch(out.shape, dtype)]


@case
def scatter_rows(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    """Rows of the batch before are listed, all of the table is full, or nobody asks for a list."""
    rows, table = Scratch((n, k), dtype, normal(rng, dtype, n, k)), np.zeros((2 * c, k), dtype)
    touched = listed(rng, 2 * c)
    if rng.integers(3) == 0:
        touched[0, 0] = -1
    before = touched[0, 1 : touched[0, 0] + 1] if touched[0, 0] >= 0 else slice(None)
    table[before] = normal(rng, dtype, *table[before].shape)
    return [rng.integers(0, 2 * c, n), rows, Scratch((n, k), dtype), table, touched]


def listed(rng: Any, rows: int) -> Array:
    """Some rows of a table, and some more of the batch before."""
    touched = np.zeros((3, rows + 1), np.int64)
    for which in (0, 2):
        some = rng.permutation(rows)[: rng.integers(0, rows + 1)]
        touched[which, : len(some) + 1] = [len(some), *some]
    touched[1] = rng.integers(0, rows + 1, rows + 1)  # what is left there means nothing
    touched[1, touched[0, 1 : touched[0, 0] + 1]] = np.arange(1, touched[0, 0] + 1)
    return touched


@case
def inner_rows(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    return [normal(rng, dtype, n, k), normal(rng, dtype, n, k), listed(rng, n)]


@case
def sgd_rows(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    return [normal(rng, dtype, n, k), normal(rng, dtype, n, k), listed(rng, n), 0.1]


@case
def adam_rows(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    w, g, m, v = (normal(rng, dtype, n, k) for _ in range(4))
    m[0], v[0], g[0] = 1e-28, 1e-28, 0  # these become 0
    return [w, g, m, np.abs(v), listed(rng, n), 0.01, 0.9, 0.999, 1e-8]


@case
def sigmoid(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    x = normal(rng, dtype, n, 20 * k) * 10.0 ** rng.integers(-3, 2)
    return [x, x if c % 2 else np.empty_like(x)]


@case
def tanh(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    return sigmoid(rng, dtype, n, k, c)


@case
def sigmoid_gradient(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    return [*relu_gradient(rng, dtype, n, k, c)[:3], Scratch((n, k, c), dtype)]


@case
def tanh_gradient(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    return sigmoid_gradient(rng, dtype, n, k, c)


@case
def silu(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    x = normal(rng, dtype, n, 20 * k) * c
    return [x, np.empty_like(x), Scratch(x.shape, dtype)]


@case
def silu_gradient(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    x, dy = (normal(rng, dtype, n, 20 * k) * c for _ in range(2))
    return [x, dy, dy if c % 2 else np.empty_like(x), *(Scratch(x.shape, dtype) for _ in range(2))]


@case
def leaky_relu(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    """Every tenth number is NaN, or 0."""
    x, y = relu(rng, dtype, n, k, c)
    x[rng.random(x.shape) < 0.1] = rng.choice([np.nan, -0.0, 0.0])
    return [x, y, float(rng.choice([0, 0.01, 0.3])), Scratch(x.shape, dtype)]


@case
def leaky_relu_gradient(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    y, dy, dx, _ = relu_gradient(rng, dtype, n, k, c)
    return [y, dy, dx, float(rng.choice([0, 0.01, 0.3])), Scratch(y.shape, dtype)]


@case
def gelu(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    x = normal(rng, dtype, n, k) * c
    scratch = [Scratch((n, k), dtype) for _ in range(3)]
    return [x, np.empty_like(x), np.empty_like(x), bool(rng.integers(2)), *scratch]


@case
def gelu_gradient(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    x, dy = (normal(rng, dtype, n, k) * c for _ in range(2))
    share = rng.random((n, k)).astype(dtype)
    return [x, share, dy, np.empty_like(x), bool(rng.integers(2)), *(Scratch((n, k), dtype) for _ in range(2))]


@case
def group_norm(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    shape, moments = (n, 2, c, k + 3), [np.empty((n, 1, c, 1), dtype) for _ in range(2)]
    affine = [normal(rng, dtype, c, k + 3) for _ in range(2)]
    return [normal(rng, dtype, *shape) + 3, np.empty(shape, dtype), *affine, *moments, 1e-3, Scratch(shape, dtype)]


@case
def group_norm_gradient(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    x, _, gamma, beta, mean, inverse, epsilon, _ = group_norm(rng, dtype, n, k, c)
    kernels.load("numpy").group_norm(x, np.empty_like(x), gamma, beta, mean, inverse, epsilon, np.empty_like(x))
    dy = Scratch(x.shape, dtype, normal(rng, dtype, *x.shape))
    dx = np.empty_like(x) if c % 2 else None
    sums = [np.empty_like(gamma), np.empty_like(gamma)]
    scratch = [Scratch((2, c * (k + 3)), dtype), Scratch(x.shape, dtype), Scratch(mean.shape, dtype)]
    return [x, dy, dx, gamma, mean, inverse, *sums, *scratch]


@case
def rms_norm(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    x = normal(rng, dtype, n, k)
    return [x, np.empty_like(x), normal(rng, dtype, k), np.empty((n, 1), dtype), 1e-3]


@case
def rms_norm_gradient(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    x, _, gamma, inverse, epsilon = rms_norm(rng, dtype, n * c, k, c)
    kernels.load("numpy").rms_norm(x, np.empty_like(x), gamma, inverse, epsilon)
    dy, dx = Scratch(x.shape, dtype, normal(rng, dtype, *x.shape)), np.empty_like(x) if c % 2 else None
    scratch = [Scratch((c, k), dtype), Scratch(x.shape, dtype), Scratch(inverse.shape, dtype)]
    return [x, dy, dx, gamma, inverse, np.empty_like(gamma), *scratch]


@case
def batch_statistics(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    x = normal(rng, dtype, n, c, k) + 3
    return [x, np.empty(k, dtype), np.empty(k, dtype), Scratch((c, k), dtype), Scratch(x.shape, dtype)]


@case
def batch_norm(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    x = normal(rng, dtype, n, c, k)
    return [x, np.empty_like(x), *(normal(rng, dtype, k) for _ in range(3)), Scratch((c, k), dtype)]


@case
def batch_norm_gradient(rng: Any, dtype: str, n: int, k: int, c: int) -> list[Any]:
    x, dy = normal(rng, dtype, n, c, k), Scratch((n, c, k), dtype, normal(rng, dtype, n, c, k))
    mean, inverse, scale = normal(rng, dtype, k), rng.random(k).astype(dtype) + 1, normal(rng, dtype, k)
    dx = None if c == 2 else np.empty_like(x)
    sums, scratch = [np.empty(k, dtype), np.empty(k, dtype)], [Scratch((c, k), dtype), Scratch(x.shape, dtype)]
    return [x, dy, dx, mean, inverse, scale, *sums, *scratch, bool(c % 2)]


class Scratch:
    """Memory whose contents afterwards do not matter."""

    def __init__(self, shape: tuple[int, ...], dtype: Any, values: Any = 0) -> None:
        self.shape, self.dtype, self.values = shape, np.dtype(dtype), values

    def make(self) -> Array:
        return np.full(self.shape, self.values, self.dtype)


def places(rng: Any, n: int, k: int) -> Array:
    return rng.integers(0, k, n) + k * np.arange(n)


def run(which: str, name: str, dtype: str, sizes: tuple[int, int, int], seed: int) -> list[Any]:
    """What the kernel leaves in its arrays, and what it returns."""
    arguments = CASES[name](np.random.default_rng(seed), dtype, *sizes)
    given_arguments = [each.make() if isinstance(each, Scratch) else each for each in arguments]
    returned = getattr(kernels.load(which), name)(*given_arguments)
    left = [a for a, b in zip(given_arguments, arguments, strict=True) if a is b and isinstance(a, np.ndarray)]
    return left if returned is None else [*left, returned]


@pytest.mark.large
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(CASES))
@settings(max_examples=12, deadline=None)
@given(sizes=st.tuples(st.integers(1, 40), st.integers(1, 20), st.integers(1, 5)), seed=st.integers(0, 99))
def test_compiled_and_reference_agree(name: str, dtype: str, sizes: tuple[int, int, int], seed: int) -> None:
    reference, in_c = (run(which, name, dtype, sizes, seed) for which in ("numpy", "compiled"))
    for a, b in zip(reference, in_c, strict=True):
        np.testing.assert_allclose(b, a, rtol=RTOL[dtype], atol=RTOL[dtype] * max(1.0, float(np.max(np.abs(a)))))


@pytest.mark.large
@pytest.mark.parametrize("name", sorted(CASES))
def test_threads_change_no_bit(name: str) -> None:
    """Many rows, so that there are several shares."""
    left = []
    for threads in (1, 4):
        before = set_threads(threads)
        try:
            left.append([np.asarray(a).tobytes() for a in run("compiled", name, "float32", (700, 40, 3), 5)])
        finally:
            set_threads(before)
    assert left[0] == left[1]


@pytest.mark.parametrize("name", sorted(CASES))
def test_c_takes_what_layers_give_it(name: str) -> None:
    """And does not leave it to the reference, whose results would be the same."""
    kernel = getattr(kernels.load("compiled"), name)
    if name in compiled.SUMS:
        return
    refused, check = [], kernel.errcheck
    kernel.errcheck = lambda answer, *rest: refused.append(answer)
    try:
        for seed in range(8):
            run("compiled", name, "float32", (33, 17, 3), seed)
    finally:
        kernel.errcheck = check
    assert refused == [0] * 8


class TestWhatCDoesNotTake:
    """Other types and layouts, and shapes that do not fit, are the reference's."""

    def test_gaps_along_the_last_axis(self) -> None:
        wide = np.arange(24, dtype=np.float32).reshape(3, 8)
        kernels.load("compiled").add_bias(wide[:, ::2], np.ones(4, np.float32))
        assert wide[:, ::2].tolist() == [[8 * i + 2 * j + 1 for j in range(4)] for i in range(3)]
        assert wide[:, 1::2].tolist() == [[8 * i + 2 * j + 1 for j in range(4)] for i in range(3)]

    def test_other_types(self) -> None:
        z = np.zeros((2, 3), np.float16)
        kernels.load("compiled").add_bias(z, np.ones(3, np.float16))
        assert (z == 1).all()
        z = np.zeros((2, 3))
        kernels.load("compiled").add_bias(z, np.ones(3, np.float32))
        assert (z == 1).all()

    def test_a_memory_map(self, tmp_path: Any) -> None:
        z = np.memmap(tmp_path / "z", np.float32, "w+", shape=(2, 3))
        kernels.load("compiled").add_bias(z, np.ones(3, np.float32))
        assert (z == 1).all()

    def test_memory_that_is_not_aligned(self) -> None:
        z = np.zeros(25, np.uint8)[1:].view(np.float32).reshape(2, 3)
        kernels.load("compiled").add_bias(z, np.ones(3, np.float32))
        assert (z == 1).all()

    def test_shapes_that_do_not_fit(self) -> None:
        K, a = kernels.load("compiled"), np.zeros((2, 3), np.float32)
        for call in (
            lambda: K.add_bias(a, np.zeros(4, np.float32)),
            lambda: K.matmul(a, a, np.zeros((2, 2), np.float32)),
            lambda: K.adam_update(a[0], a[0], a[0], np.zeros(9, np.float32), 0.1, 0.9, 0.9, 1e-8, a[0].copy(), a[1]),
            lambda: K.softmax(a, np.zeros((2, 4), np.float32), np.zeros((2, 1), np.float32)),
        ):
            with pytest.raises(ValueError, match=r"shape|mismatch|broadcast"):
                call()

    def test_what_is_no_array(self) -> None:
        with pytest.raises(TypeError):
            kernels.load("compiled").add_bias([[1.0]], [2.0])


@pytest.mark.parametrize(
    "name", ["add_bias", "add_bias_relu", "bias_gradient", "bias_relu_gradient", "matmul", "gru_mix"]
)
def test_a_batch_without_rows(name: str) -> None:
    dtype = "float32"
    for which in ("numpy", "compiled"):
        arguments = CASES[name](np.random.default_rng(0), dtype, 4, 3, 2)
        empty = [a[:0] if isinstance(a, np.ndarray) and a.ndim == 2 and a.shape[0] == 4 else a for a in arguments]
        empty = [np.zeros((0, 3), bool) if isinstance(a, Scratch) else a for a in empty]
        getattr(kernels.load(which), name)(*empty)
        if name.endswith("gradient"):
            assert (next(a for a in empty if a.ndim == 1) == 0).all()


@pytest.mark.parametrize("name", sorted(CASES))
def test_compiled_repeats_itself_to_the_bit(name: str) -> None:
    first, second = (run("compiled", name, "float32", (33, 17, 3), 5) for _ in range(2))
    assert [np.asarray(a).tobytes() for a in first] == [np.asarray(a).tobytes() for a in second]


def test_every_compiled_kernel_is_compared() -> None:
    compiled, reference = kernels.load("compiled"), kernels.load("numpy")
    own = {name for name, kernel in vars(compiled).items() if kernel is not getattr(reference, name)} - {"which"}
    assert own - set(CASES) == {name for name in own if name.endswith("_update")}  # test_optimizer_kernels.py


class TestWhatHasDivergedIsSeen:
    """A NaN or an infinity that goes in must come out: the loss is watched for it."""

    @pytest.mark.parametrize("which", ["numpy", "compiled"])
    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_softmax(self, which: str, bad: float) -> None:
        z, p = np.zeros((3, 4), np.float32), np.zeros((3, 4), np.float32)
        z[1, 2] = bad
        with np.errstate(invalid="ignore"):
            kernels.load(which).softmax(z, p, np.empty((3, 1), np.float32))
        assert np.isnan(p[1]).all()
        assert np.isfinite(p[[0, 2]]).all()

    @pytest.mark.parametrize("which", ["numpy", "compiled"])
    def test_relu(self, which: str) -> None:
        z = np.full((3, 20), np.nan, np.float32)
        kernels.load(which).add_bias_relu(z, np.zeros(20, np.float32))
        assert np.isnan(z).all()
