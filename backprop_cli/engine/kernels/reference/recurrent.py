"""The walks of an LSTM and a GRU through time, and the gates of a GRU for one time step.

Projections come as rows, (N, G H), the way the matrix products give them. An LSTM's gates take their places, so that
less memory is written; those of a GRU are kept apart, (G, N, H). σ(a) = (1 + tanh(a/2)) / 2 throughout.
"""

from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array

__all__ = ["gru_gates", "gru_mix", "gru_unmix", "gru_walk", "gru_walk_back", "lstm_walk", "lstm_walk_back"]


# what turns tanh into σ for i, f and o, and leaves g alone
_SCALE = {np.dtype(t): np.array([0.5, 0.5, 1.0, 0.5], t).reshape(4, 1, 1) for t in (np.float32, np.float64)}
_SHIFT = {np.dtype(t): np.array([0.5, 0.5, 0.0, 0.5], t).reshape(4, 1, 1) for t in (np.float32, np.float64)}


def by_gate(rows: Array, gates: int) -> Array:
    """(N, G H) seen as (G, N, H)."""
    return rows.reshape(len(rows), gates, -1).transpose(1, 0, 2)


def lstm_walk(z: Array, U: Array, zh: Array, h: Array, c: Array, tanh_c: Array, from_zero: bool) -> None:
    """From h[0] and c[0] through the steps: z (T, N, 4H), the projections, becomes the gates, σ or tanh(z_t + h[t] U),
    then c[t + 1], h[t + 1]. `from_zero` says that h[0] is zero; zh (N, 4H) is scratch memory."""
    for t in range(len(z)):
        if t == 0 and from_zero:
            zh[...] = 0
        else:
            np.dot(h[t], U, out=zh)
        _forward(z[t], zh, c[t], c[t + 1], tanh_c[t], h[t + 1])


def lstm_walk_back(
    dys: Array | None,
    dh: Array,
    dc: Array,
    z: Array,
    c: Array,
    tanh_c: Array,
    Ut: Array,
    work: Array,
    slopes: Array,
    from_zero: bool,
) -> None:
    """Back through the same steps: z, the gates, becomes dL/dz, and dh and dc, the gradients of the last states, become
    those of the first, except dh where that state is zero anyway. dys (T, N, H) are the gradients of each h[t + 1].
    work, slopes (4, N, H) are scratch memory."""
    for t in reversed(range(len(z))):
        if dys is not None:
            np.add(dh, dys[t], out=dh)
        _backward(dh, dc, z[t], c[t], tanh_c[t], work, slopes)
        if t > 0 or not from_zero:
            np.dot(z[t], Ut, out=dh)


def _forward(z: Array, zh: Array, c_before: Array, c: Array, tanh_c: Array, h: Array) -> None:
    """i, f, o = σ(z + zh), g = tanh(z + zh) in place of z (N, 4H), in the order i, f, g, o;
    c = f ⊙ c_before + i ⊙ g,  h = o ⊙ tanh c."""
    scale, gates = _SCALE[z.dtype], by_gate(z, 4)
    np.add(z, zh, out=z)
    np.multiply(gates, scale, out=gates)
    np.tanh(z, out=z)
    np.multiply(gates, scale, out=gates)
    np.add(gates, _SHIFT[z.dtype], out=gates)
    i, f, g, o = gates
    np.multiply(i, g, out=h)  # h is scratch until the last line
    np.multiply(f, c_before, out=c)
    np.add(c, h, out=c)
    np.tanh(c, out=tanh_c)
    np.multiply(o, tanh_c, out=h)


def _backward(dh: Array, dc: Array, z: Array, c_before: Array, tanh_c: Array, work: Array, slopes: Array) -> None:
    """dL/dz (N, 4H) of one step in place of its gates; dc becomes dL/dc of the step before. work, slopes (4, N, H)."""
    gates = by_gate(z, 4)
    i, f, g, o = gates
    di, df, dg, do = work
    np.multiply(tanh_c, tanh_c, out=di)
    np.subtract(1, di, out=di)
    np.multiply(di, o, out=di)
    np.multiply(di, dh, out=di)
    np.add(dc, di, out=dc)
    np.multiply(dc, g, out=di)
    np.multiply(dc, c_before, out=df)
    np.multiply(dc, i, out=dg)
    np.multiply(dh, tanh_c, out=do)
    np.multiply(dc, f, out=dc)
    np.multiply(gates, gates, out=slopes)
    np.subtract(gates[:2], slopes[:2], out=slopes[:2])
    np.subtract(1, slopes[2], out=slopes[2])
    np.subtract(o, slopes[3], out=slopes[3])
    np.multiply(work, slopes, out=gates)


def gru_gates(zx: Array, zh: Array, gates: Array) -> None:
    """z, r = σ(zx + zh) of the first 2H columns, into gates (2, N, H)."""
    width = 2 * gates.shape[-1]
    np.add(by_gate(zx[:, :width], 2), by_gate(zh[:, :width], 2), out=gates)
    np.multiply(gates, 0.5, out=gates)
    np.tanh(gates, out=gates)
    np.multiply(gates, 0.5, out=gates)
    np.add(gates, 0.5, out=gates)


def gru_mix(z: Array, candidate: Array, h_before: Array, h: Array) -> None:
    """candidate = tanh(candidate) in place;  h = z ⊙ h_before + (1 − z) ⊙ candidate."""
    np.tanh(candidate, out=candidate)
    np.subtract(h_before, candidate, out=h)
    np.multiply(h, z, out=h)
    np.add(h, candidate, out=h)


def gru_unmix(dh: Array, gates: Array, h_before: Array, dgates: Array, work: Array) -> None:
    """The gradient of `gru_mix`: dL/d(argument) of z and of the candidate into the first and the last of
    dgates (3, N, H); dh becomes dh ⊙ z, what goes straight on to the step before."""
    z, _, candidate = gates
    dz, _, dcandidate = dgates
    np.subtract(1, z, out=work)
    np.multiply(work, dh, out=dcandidate)
    np.subtract(h_before, candidate, out=dz)
    np.multiply(dz, z, out=dz)
    np.multiply(dz, dcandidate, out=dz)
    np.multiply(candidate, candidate, out=work)
    np.subtract(1, work, out=work)
    np.multiply(dcandidate, work, out=dcandidate)
    np.multiply(dh, z, out=dh)


def gru_walk(z: Array, U: Array, bias: Array | None, zh: Array, h: Array, gates: Array, inner: Array) -> None:
    """From h[0] through the steps z (T, N, 3H), the reset gate after the product with U: gates (T, 3, N, H) =
    z, r = σ(z_t + h[t] U) and n = tanh(z_t + r ⊙ inner), inner = h[t] U_n + bias (H,), then
    h[t + 1] = z ⊙ h[t] + (1 − z) ⊙ n. zh (N, 3H) is scratch memory."""
    width = 2 * h.shape[-1]
    for t in range(len(z)):
        update, reset, candidate = gates[t]
        np.matmul(h[t], U, out=zh)
        gru_gates(z[t], zh, gates[t, :2])
        np.copyto(inner[t], zh[:, width:])
        if bias is not None:
            np.add(inner[t], bias, out=inner[t])
        np.multiply(reset, inner[t], out=candidate)
        np.add(candidate, z[t][:, width:], out=candidate)
        gru_mix(update, candidate, h[t], h[t + 1])


def gru_walk_back(
    dys: Array | None,
    dh: Array,
    gates: Array,
    h: Array,
    inner: Array,
    z: Array,
    dzh: Array,
    Ut: Array,
    product: Array,
    dgates: Array,
    work: Array,
) -> None:
    """Back through the same steps: z becomes dL/dz, dzh (T, N, 3H) dL/d(h U), and dh, the gradient of the last state,
    that of the first. dys (T, N, H) are the gradients of each h[t + 1]. product and work (N, H) and dgates (3, N, H)
    are scratch memory."""
    width = 2 * h.shape[-1]
    for t in reversed(range(len(z))):
        reset = gates[t, 1]
        _, dr, dn = dgates
        if dys is not None:
            np.add(dh, dys[t], out=dh)
        gru_unmix(dh, gates[t], h[t], dgates, work)
        np.multiply(dn, inner[t], out=dr)
        np.subtract(1, reset, out=work)
        np.multiply(work, reset, out=work)
        np.multiply(dr, work, out=dr)
        np.copyto(by_gate(z[t], 3), dgates)
        np.copyto(dzh[t][:, :width], z[t][:, :width])
        np.multiply(dn, reset, out=dzh[t][:, width:])
        np.matmul(dzh[t], Ut, out=product)
        np.add(dh, product, out=dh)
