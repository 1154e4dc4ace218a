"""The sums of a small convolution: every product of a window with its kernel, forward and back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from backprop_cli.engine.layers.conv1d import Conv1d
from backprop_cli.engine.layers.conv2d import Conv2d
from backprop_cli.insight.trace.lines import Line, Value, number, products, signed, source, total
from backprop_cli.insight.trace.step import LayerStep, Written

Index = tuple[int, ...]


def write(step: LayerStep, layer: Conv1d | Conv2d) -> Written:
    """z of every place and filter, then y = f(z); back from δ = dL/dz, which the activation has made of dL/dy."""
    (x,), (before,), y = step.x, step.inputs, step.y
    places, cells = y.shape[:-1], x.shape[:-1]
    filters, inside = y.shape[-1], layer.W.shape[-2]
    axes = layer.windows(cells)[-len(places) :]
    forward: list[Line] = []
    z = np.zeros_like(y)
    kind = "z" if layer.activation is not None else "y"

    def windows(position: Index) -> Iterator[tuple[Index, Index]]:
        """The cells of the kernel that lie on x at this place, and where."""
        for cell in np.ndindex(*layer.W.shape[:-2]):
            at = tuple(
                o * axis.stride + i * axis.dilation - axis.before
                for o, i, axis in zip(position, cell, axes, strict=True)
            )
            if all(0 <= a < size for a, size in zip(at, cells, strict=True)):
                yield cell, at

    def channels(filter_: int) -> range:
        """The channels of x that a filter of its group sees."""
        first = filter_ // (filters // (x.shape[-1] // inside)) * inside
        return range(first, first + inside)

    for position in np.ndindex(*places):
        for o in range(filters):
            pairs = [
                (
                    Value(float(x[(*at, c)]), source(before, int(np.ravel_multi_index((*at, c), x.shape)))),
                    Value(float(layer.W[(*cell, c - channels(o)[0], o)])),
                )
                for cell, at in windows(position)
                for c in channels(o)
            ]
            bias: list[str | Value] = [" + ", Value(float(layer.b[o]), bracketed=True)] if layer.bias else []
            z[(*position, o)] = sum(a.value * b.value for a, b in pairs) + (float(layer.b[o]) if layer.bias else 0)
            flat = int(np.ravel_multi_index((*position, o), y.shape))
            shown: list[str | Value] = [*products(pairs), *bias] or ["0"]
            value = number(float(z[(*position, o)]))
            forward.append(Line((f"{kind}{_at((*position, o))} = ", *shown, " ="), value, (kind, step.name, flat)))
            if layer.activation is not None:
                left = f"a{_at((*position, o))} = {layer.activation.type_name}(z{_at((*position, o))}) ="
                forward.append(Line((left,), number(float(y[(*position, o)])), ("y", step.name, flat)))
    output = y if layer.activation is not None else z
    if step.delta is None or step.upstream is None:
        return Written(forward, [], output, None)
    delta, backward = step.delta, []
    for position in np.ndindex(*y.shape):
        up, d = float(step.upstream[position]), float(delta[position])
        if layer.activation is None:
            backward.append(Line((f"δ{_at(position)} = dL/dy{_at(position)} =",), number(d)))
        elif layer.activation.shares_row:
            backward.append(Line((f"δ{_at(position)} = dL/dz{_at(position)} =",), number(d)))
        else:
            slope = number(d / up) if up else "f'(z)"
            told = f"{signed(up)} · {slope} = {number(d)}"
            backward.append(Line((f"δ{_at(position)} = dL/da{_at(position)} · f'(z{_at(position)}) =",), told))
    sums: dict[str, dict[Index, list[tuple[float, float]]]] = {"W": {}, "x": {}}
    for position in np.ndindex(*places):
        for o in range(filters):
            d = float(delta[(*position, o)])
            for cell, at in windows(position):
                for c in channels(o):
                    own = (*cell, c - channels(o)[0], o)
                    sums["W"].setdefault(own, []).append((float(x[(*at, c)]), d))
                    sums["x"].setdefault((*at, c), []).append((d, float(layer.W[own])))
    gradients = {"W": np.zeros_like(layer.W), "x": np.zeros_like(x)}
    for name, formula in (("W", "Σ x·δ"), ("x", "Σ δ·W")):
        for index in np.ndindex(*gradients[name].shape):
            pairs_of = sums[name].get(index, [])
            gradients[name][index] = sum(a * b for a, b in pairs_of)
            if name == "W" or step.dx[0] is not None:
                told = " + ".join(f"{signed(a)}·{signed(b)}" for a, b in pairs_of) or "0"
                label = f"dW{_at(index)}" if name == "W" else f"dL/dx{_at(index)}"
                ends = number(float(gradients[name][index]))
                backward.append(Line((f"{label} = {formula} =",), f"{told} = {ends}"))
    if layer.bias:
        gradients["b"] = delta.reshape(-1, filters).sum(axis=0)
        for o in range(filters):
            backward.append(Line((f"db[{o + 1}] = Σ δ =",), total(delta[..., o].reshape(-1))))
    return Written(forward, backward, output, gradients)


def _at(index: Index) -> str:
    """Places counted from 1: [2,1,1]."""
    return f"[{','.join(str(i + 1) for i in index)}]"
