"""The walk of an LSTM through time, some rows of the batch after the others, and the gates of a GRU.

The rows do not depend on each other: each share of them walks on its own. Each loop touches few arrays: with many,
the compiler cannot tell that they do not overlap, and does not vectorize.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
from numba import prange

from backprop_cli.engine.kernels.compiled import SHARES, compiled, parallel
from backprop_cli.engine.kernels.compiled.exponential import sigmoid, tanh
from backprop_cli.engine.kernels.compiled.gemm import product

__all__ = ["gru_gates", "gru_mix", "gru_unmix", "lstm_walk", "lstm_walk_back"]

ROWS = 32  # of a share at least: BLAS is slow with fewer
WORTH = 1_000_000  # multiplications of a walk from which threads pay
Array = npt.NDArray[Any]


@compiled
def _forward(
    zx: Array, zh: Array, c_before: Array, gates: Array, c: Array, tanh_c: Array, h: Array, low: int, high: int
) -> None:
    width = h.shape[1]
    for n in range(low, high):
        for gate in range(4):
            a, b, out = (
                zx[n, gate * width : (gate + 1) * width],
                zh[n, gate * width : (gate + 1) * width],
                gates[gate, n],
            )
            if gate == 2:
                for k in range(width):
                    out[k] = tanh(a[k] + b[k])
            else:
                for k in range(width):
                    out[k] = sigmoid(a[k] + b[k])
        i, f, g, o = gates[0, n], gates[1, n], gates[2, n], gates[3, n]
        before, cell, squashed, state = c_before[n], c[n], tanh_c[n], h[n]
        for k in range(width):
            cell[k] = f[k] * before[k] + i[k] * g[k]
        for k in range(width):
            squashed[k] = tanh(cell[k])
        for k in range(width):
            state[k] = o[k] * squashed[k]


@compiled
def _backward(
    dh: Array, dc: Array, gates: Array, c_before: Array, tanh_c: Array, dz: Array, low: int, high: int
) -> None:
    width = dh.shape[1]
    one = dh.dtype.type(1)
    for n in range(low, high):
        i, f, g, o = gates[0, n], gates[1, n], gates[2, n], gates[3, n]
        state, cell, before, squashed = dh[n], dc[n], c_before[n], tanh_c[n]
        di, df = dz[n, :width], dz[n, width : 2 * width]
        dg, do = dz[n, 2 * width : 3 * width], dz[n, 3 * width : 4 * width]
        for k in range(width):
            cell[k] += state[k] * o[k] * (one - squashed[k] * squashed[k])
        for k in range(width):
            do[k] = state[k] * squashed[k] * (o[k] - o[k] * o[k])
        for k in range(width):
            di[k] = cell[k] * g[k] * (i[k] - i[k] * i[k])
        for k in range(width):
            dg[k] = cell[k] * i[k] * (one - g[k] * g[k])
        for k in range(width):
            df[k] = cell[k] * before[k] * (f[k] - f[k] * f[k])
        for k in range(width):
            cell[k] *= f[k]


@compiled
def _shares(z: Array, U: Array) -> int:
    return max(1, min(SHARES, z.shape[1] // ROWS)) if z.shape[0] * z.shape[1] * U.size >= WORTH else 1


@compiled
def _walk(
    z: Array, U: Array, zh: Array, h: Array, c: Array, gates: Array, tanh_c: Array, from_zero: bool, low: int, high: int
) -> None:
    for t in range(len(z)):
        if t == 0 and from_zero:
            zh[low:high] = 0
        else:
            product(h[t, low:high], U, 0, zh[low:high])
        _forward(z[t], zh, c[t], gates[t], c[t + 1], tanh_c[t], h[t + 1], low, high)


@parallel
def lstm_walk(z: Array, U: Array, zh: Array, h: Array, c: Array, gates: Array, tanh_c: Array, from_zero: bool) -> None:
    shares = _shares(z, U)
    size = -(-zh.shape[0] // shares)
    for part in prange(shares):
        low, high = part * size, min((part + 1) * size, zh.shape[0])
        _walk(z, U, zh, h, c, gates, tanh_c, from_zero, low, high)


@compiled
def _walk_back(
    dys: Array | None,
    dh: Array,
    dc: Array,
    gates: Array,
    c: Array,
    tanh_c: Array,
    z: Array,
    Ut: Array,
    from_zero: bool,
    low: int,
    high: int,
) -> None:
    for t in range(len(z) - 1, -1, -1):
        if dys is not None:
            for n in range(low, high):
                for k in range(dh.shape[1]):
                    dh[n, k] += dys[t, n, k]
        _backward(dh, dc, gates[t], c[t], tanh_c[t], z[t], low, high)
        if t > 0 or not from_zero:
            product(z[t, low:high], Ut, 0, dh[low:high])


@parallel
def lstm_walk_back(
    dys: Array | None,
    dh: Array,
    dc: Array,
    gates: Array,
    c: Array,
    tanh_c: Array,
    z: Array,
    Ut: Array,
    work: Array,
    slopes: Array,
    from_zero: bool,
) -> None:
    shares = _shares(z, Ut)
    size = -(-dh.shape[0] // shares)
    for part in prange(shares):
        low, high = part * size, min((part + 1) * size, dh.shape[0])
        _walk_back(dys, dh, dc, gates, c, tanh_c, z, Ut, from_zero, low, high)


@compiled
def gru_gates(zx: Array, zh: Array, gates: Array) -> None:
    width = gates.shape[2]
    for n in range(gates.shape[1]):
        for gate in range(2):
            a, b, out = (
                zx[n, gate * width : (gate + 1) * width],
                zh[n, gate * width : (gate + 1) * width],
                gates[gate, n],
            )
            for k in range(width):
                out[k] = sigmoid(a[k] + b[k])


@compiled
def gru_mix(z: Array, candidate: Array, h_before: Array, h: Array) -> None:
    for n in range(h.shape[0]):
        gate, new, before, state = z[n], candidate[n], h_before[n], h[n]
        for k in range(gate.size):
            new[k] = tanh(new[k])
        for k in range(gate.size):
            state[k] = (before[k] - new[k]) * gate[k] + new[k]


@compiled
def gru_unmix(dh: Array, gates: Array, h_before: Array, dgates: Array, work: Array) -> None:
    one = dh.dtype.type(1)
    for n in range(dh.shape[0]):
        z, candidate, before, state = gates[0, n], gates[2, n], h_before[n], dh[n]
        dz, dcandidate = dgates[0, n], dgates[2, n]
        for k in range(z.size):
            dz[k] = (before[k] - candidate[k]) * state[k] * (z[k] - z[k] * z[k])
        for k in range(z.size):
            dcandidate[k] = (one - z[k]) * state[k] * (one - candidate[k] * candidate[k])
        for k in range(z.size):
            state[k] *= z[k]
