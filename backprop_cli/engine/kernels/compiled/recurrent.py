"""The gates of an LSTM step, in few passes. tanh stays with NumPy, which computes it many at a time.

Each loop writes into few arrays, indexed flat: only then can the compiler see that they do not overlap
and vectorize it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from backprop_cli.engine.kernels.compiled import compiled

__all__ = ["lstm_backward", "lstm_forward"]

Array = npt.NDArray[Any]


def lstm_forward(zx: Array, zh: Array, c_before: Array, gates: Array, c: Array, tanh_c: Array, h: Array) -> None:
    _arguments(zx, zh, gates)
    np.tanh(gates, out=gates)
    _cell(gates, c_before, c)
    np.tanh(c, out=tanh_c)
    np.multiply(gates[3], tanh_c, out=h)


@compiled
def _arguments(zx: Array, zh: Array, gates: Array) -> None:
    """zx + zh by gate, halved where a σ is to come."""
    half, one = gates.dtype.type(0.5), gates.dtype.type(1)
    units = gates.shape[2]
    for n in range(gates.shape[1]):
        for gate in range(4):
            scale = one if gate == 2 else half
            x, y, out = zx[n, gate * units :], zh[n, gate * units :], gates[gate, n]
            for j in range(units):
                out[j] = (x[j] + y[j]) * scale


@compiled
def _cell(gates: Array, c_before: Array, c: Array) -> None:
    """σ from tanh for i, f and o, then c = f ⊙ c_before + i ⊙ g."""
    half = gates.dtype.type(0.5)
    flat, before, after = gates.reshape(-1), c_before.reshape(-1), c.reshape(-1)
    size = len(after)
    for j in range(size):
        i, f = half * flat[j] + half, half * flat[size + j] + half
        flat[j], flat[size + j] = i, f
        flat[3 * size + j] = half * flat[3 * size + j] + half
        after[j] = f * before[j] + i * flat[2 * size + j]


@compiled
def lstm_backward(
    dh: Array, dc: Array, gates: Array, c_before: Array, tanh_c: Array, dz: Array, work: Array, slopes: Array
) -> None:
    one, units, size = gates.dtype.type(1), gates.shape[2], dh.size
    flat, out, before, t = gates.reshape(-1), work.reshape(-1), c_before.reshape(-1), tanh_c.reshape(-1)
    flat_dh, flat_dc = dh.reshape(-1), dc.reshape(-1)
    for j in range(size):
        i, f, g, o = flat[j], flat[size + j], flat[2 * size + j], flat[3 * size + j]
        total = flat_dc[j] + flat_dh[j] * o * (one - t[j] * t[j])
        out[j] = total * g * i * (one - i)
        out[size + j] = total * before[j] * f * (one - f)
        out[2 * size + j] = total * i * (one - g * g)
        out[3 * size + j] = flat_dh[j] * t[j] * o * (one - o)
        flat_dc[j] = total * f
    for n in range(gates.shape[1]):
        for gate in range(4):
            row, source = dz[n, gate * units :], work[gate, n]
            for j in range(units):
                row[j] = source[j]
