"""The sums of a small batch_norm: its mean, its variance, every x̂ and what comes back through them.

The batch is one example: where it has one number per channel the running statistics stand in for its own, as the layer
has it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.layers.batch_norm import BatchNorm
from backprop_cli.insight.trace.lines import Line, Value, number, signed, source, total
from backprop_cli.insight.trace.step import LayerStep, Written


def write(step: LayerStep, layer: BatchNorm) -> Written:
    """Channel by channel: μ and σ² of the example, or the running ones; then x̂, y, and the gradients."""
    (given,), (before,) = step.x, step.inputs
    channels = given.shape[-1]
    x, y = given.reshape(-1, channels), np.zeros((given.size // channels, channels))
    m = len(x)
    own = m > 1 and layer.frozen is not True  # the example's own statistics
    forward: list[Line] = []
    backward: list[Line] = []
    hats, roots = np.zeros_like(y), np.zeros(channels)
    for c in range(channels):
        mean, variance = float(layer.running_mean[c]), float(layer.running_variance[c])
        if own:
            mean = float(x[:, c].mean())
            variance = float(((x[:, c] - mean) ** 2).mean())
            summed = [part for i in range(m) for part in ((" + " if i else ""), _x(x, before, i, c, bool(i)))]
            forward.append(Line((f"μ{c + 1} = (", *summed, f") / {m} ="), number(mean), ("μ", step.name, c)))
            squares = [
                part
                for i in range(m)
                for part in (" + (" if i else "(", _x(x, before, i, c), " − ", _mean(step, mean, c, own), ")²")
            ]
            forward.append(Line((f"σ²{c + 1} = (", *squares, f") / {m} ="), number(variance), ("σ²", step.name, c)))
        else:
            forward.append(Line((f"μ{c + 1} = {number(mean)}, σ²{c + 1} = {number(variance)}, the running ones",), ""))
        roots[c] = math.sqrt(variance + layer.epsilon)
        spread = Value(variance, ("σ²", step.name, c) if own else None)
        forward.append(
            Line((f"s{c + 1} = √(", spread, f" + {number(layer.epsilon)}) ="), number(roots[c]), ("s", step.name, c))
        )
        gamma = float(layer.gamma[c]) if layer.scale else 1.0
        beta = float(layer.beta[c]) if layer.center else 0.0
        for i in range(m):
            hats[i, c] = (x[i, c] - mean) / roots[c]
            y[i, c] = gamma * hats[i, c] + beta
            index, flat = f"[{i + 1},{c + 1}]" if m > 1 else f"{c + 1}", i * channels + c
            root = Value(float(roots[c]), ("s", step.name, c))
            shown = ("(", _x(x, before, i, c), " − ", _mean(step, mean, c, own), ") / ", root)
            forward.append(Line((f"x̂{index} = ", *shown, " ="), number(hats[i, c]), ("x̂", step.name, flat)))
            hat = Value(float(hats[i, c]), ("x̂", step.name, flat), bracketed=True)
            affine = (f"y{index} = {signed(gamma)}·", hat, f" + {signed(beta)} =")
            forward.append(Line(affine, number(y[i, c]), ("y", step.name, flat)))
    gradients = None
    if step.upstream is not None:
        gradients = _back(step, layer, hats, roots, own, backward)
    return Written(forward, backward, y.reshape(given.shape), gradients)


def _x(x: Array, before: str, i: int, c: int, bracketed: bool = False) -> Value:
    return Value(float(x[i, c]), source(before, i * x.shape[1] + c), bracketed)


def _mean(step: LayerStep, mean: float, c: int, own: bool) -> Value:
    return Value(mean, ("μ", step.name, c) if own else None, bracketed=True)


def _back(
    step: LayerStep, layer: BatchNorm, hats: Array, roots: Array, own: bool, lines: list[Line]
) -> dict[str, Array]:
    assert step.upstream is not None
    m, channels = hats.shape
    dy, dx = step.upstream.reshape(m, channels), np.zeros((m, channels))
    gradients: dict[str, Any] = {"gamma": (dy * hats).sum(axis=0), "beta": dy.sum(axis=0)}
    for c in range(channels):
        gamma = float(layer.gamma[c]) if layer.scale else 1.0
        dgamma, dbeta, s = float(gradients["gamma"][c]), float(gradients["beta"][c]), float(roots[c])
        told = " + ".join(f"{signed(float(dy[i, c]))}·{signed(float(hats[i, c]))}" for i in range(m))
        lines.append(Line((f"dγ[{c + 1}] = Σ dy·x̂ =",), f"{told} = {number(dgamma)}"))
        lines.append(Line((f"dβ[{c + 1}] = Σ dy =",), total(dy[:, c])))
        for i in range(m) if step.dx[0] is not None else ():
            up, hat = float(dy[i, c]), float(hats[i, c])
            index = f"[{i + 1},{c + 1}]" if m > 1 else f"{c + 1}"
            if own:
                dx[i, c] = gamma / s * (up - dbeta / m - hat * dgamma / m)
                inner = f"({number(up)} − {signed(dbeta)}/{m} − {signed(hat)}·{signed(dgamma)}/{m})"
                formula = f"γ/s · (dy − dβ/{m} − x̂ dγ/{m})"
            else:
                dx[i, c], inner, formula = gamma / s * up, signed(up), "γ/s · dy"
            told = f"{signed(gamma)}/{number(s)} · {inner} = {number(dx[i, c])}"
            lines.append(Line((f"dL/dx{index} = {formula} =",), told))
    gradients["x"] = dx.reshape(step.x[0].shape)
    return gradients
