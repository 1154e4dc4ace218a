"""The gates of recurrent layers, one time step each, a row of the batch after the other while it is in the cache.

Each loop touches few arrays: with many, the compiler cannot tell that they do not overlap, and does not vectorize.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from backprop_cli.engine.kernels.compiled import compiled
from backprop_cli.engine.kernels.compiled.exponential import sigmoid, tanh

__all__ = ["gru_gates", "gru_mix", "gru_unmix", "lstm_backward", "lstm_forward"]

Array = npt.NDArray[Any]


@compiled
def lstm_forward(zx: Array, zh: Array, c_before: Array, gates: Array, c: Array, tanh_c: Array, h: Array) -> None:
    width = h.shape[1]
    for n in range(h.shape[0]):
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
def lstm_backward(
    dh: Array, dc: Array, gates: Array, c_before: Array, tanh_c: Array, dz: Array, work: Array, slopes: Array
) -> None:
    width = dh.shape[1]
    one = dh.dtype.type(1)
    for n in range(dh.shape[0]):
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
