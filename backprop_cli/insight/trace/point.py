"""One number of a network, explained: its line of the trace, its gradient beside a finite difference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.gradcheck import derivative, relative_error
from backprop_cli.engine.graph import INPUT, Network
from backprop_cli.engine.layers.dense import Dense
from backprop_cli.errors import UsageError, expected
from backprop_cli.insight.trace.lines import number, signed
from backprop_cli.insight.trace.step import LayerStep
from backprop_cli.insight.trace.trace import Pass, passed, still

#: what can be pointed at -> what the lines about it are results of
RESULTS = {
    "y": ("z", "e", "y"),
    "δ": ("δ",),
    "W": ("dW",),
    "b": ("db",),
    "x": ("dx",),
}
WRITTEN = 6  # products of a long sum that are written out


@dataclass
class Point:
    """`value` is the number itself; gradient dL/d(number) of the example and its central difference, where it has
    one: weights, biases, data, and the δ of units with a bias, which is that bias's gradient."""

    name: str
    value: float
    symbols: list[str]
    lines: list[str] = field(default_factory=list)
    gradient: float | None = None
    numeric: float | None = None
    error: float | None = None


def point(
    network: Network, x: Array, y: Array, layer: str, what: str, index: Sequence[int], training: bool = True
) -> Point:
    """The number `what` of a layer (y, δ, or a parameter by name; x of `input`) at an index, counted from 0, for one
    example. The network is one that `passed` takes; it is left as it was. Raises UsageError for what is not there."""
    rng, states = network.rng.bit_generator.state, network.store.state.copy()
    loss = still(network, x, y, training)
    pass_ = passed(network, x, y, training)
    try:
        return _of_input(network, pass_, x, loss, tuple(index)) if layer == INPUT else _of_layer(
            network, pass_, loss, layer, what, tuple(index)
        )  # fmt: skip
    finally:
        network.rng.bit_generator.state = rng
        network.store.state[...] = states


def _of_input(network: Network, pass_: Pass, x: Array, loss: Callable[[], float], index: tuple[int, ...]) -> Point:
    value = _at(x[0], index, "x")
    told = Point(_name("x", index), value, [])
    first = next((step for step in pass_.steps if step.inputs == [INPUT]), None)
    if network.input_gradient and x.dtype.kind == "f":
        loss()
        network.backward()
        _compare(told, float(network.input_gradients[(0, *index)]), derivative(loss, x, (0, *index)))
        if first is not None and len(index) == 1:
            told.lines = _lines(first, "x", index)
            told.symbols = first.symbols
    return told


def _of_layer(
    network: Network, pass_: Pass, loss: Callable[[], float], layer: str, what: str, index: tuple[int, ...]
) -> Point:
    step = next((step for step in pass_.steps if step.name == layer), None)
    if step is None:
        raise UsageError(f"no layer is called {layer!r}; {expected(layer, [step.name for step in pass_.steps])}")
    parameter = f"{layer}.{what}"
    if what in ("y", "δ"):
        array = step.y if what == "y" else step.delta
        if array is None:
            raise UsageError(f"{layer} has no δ: nothing before it or in it is trained")
    elif parameter in network.parameters:
        array = network.parameters[parameter]
    else:
        own = [name.partition(".")[2] for name in network.parameters if name.startswith(f"{layer}.")]
        raise UsageError(f"{layer} has no {what!r}; {expected(what, ['y', 'δ', *own])}")
    told = Point(_name(f"{what} of {layer}", index), _at(array, index, what), step.symbols, _lines(step, what, index))
    of = network.node(layer).layer
    if not told.lines and isinstance(of, Dense) and step.y.ndim == 1:
        told.lines = _long(step, of, what, index)
    if parameter in network.parameters and not network.store.entries[parameter].frozen:
        _compare(told, float(pass_.gradients[parameter][index]), derivative(loss, network.parameters[parameter], index))
    bias = network.parameters.get(f"{layer}.b")
    if what == "δ" and isinstance(of, Dense) and bias is not None and step.y.ndim == 1:
        _compare(told, told.value, derivative(loss, bias, index))
    return told


def _compare(told: Point, gradient: float, numeric: float) -> None:
    told.gradient, told.numeric = gradient, numeric
    told.error = relative_error(gradient, numeric)


def _at(array: Array, index: tuple[int, ...], what: str) -> float:
    if len(index) != array.ndim or any(not 0 <= i < size for i, size in zip(index, array.shape, strict=True)):
        raise UsageError(f"{what} has the shape {array.shape}, and nothing at {list(index)}")
    return float(array[index])


def _name(what: str, index: tuple[int, ...]) -> str:
    position = ",".join(str(i + 1) for i in index)
    name, _, layer = what.partition(" ")
    return f"{name}[{position}] {layer}".strip()


def _lines(step: LayerStep, what: str, index: tuple[int, ...]) -> list[str]:
    """The lines of a small layer that end in this number."""
    wanted = {(kind, step.name, *index) for kind in RESULTS.get(what, ())}
    return [str(line) for line in (*step.forward, *step.backward) if line.result in wanted]


def _long(step: LayerStep, layer: Dense, what: str, index: tuple[int, ...]) -> list[str]:
    """The sums of a dense layer too large for the trace: the largest products, and the rest as one number."""
    (x,) = step.x
    i = index[0]
    if what == "W" and step.delta is not None:
        a, d = float(x[i]), float(step.delta[index[1]])
        return [
            f"dW[{i + 1},{index[1] + 1}] = x{i + 1} · δ{index[1] + 1} = {signed(a)} · {signed(d)} = {number(a * d)}"
        ]
    if what == "b" and step.delta is not None:
        return [f"db[{i + 1}] = δ{i + 1} = {number(float(step.delta[i]))}"]
    if what != "y":
        return []
    products = x * layer.W[:, i]
    largest = np.argsort(-np.abs(products), kind="stable")[:WRITTEN]
    shown = " + ".join(f"{signed(float(x[k]))}·{signed(float(layer.W[k, i]))}" for k in sorted(largest))
    rest, left = float(products.sum() - products[largest].sum()), len(products) - len(largest)
    bias = f" + {signed(float(layer.b[i]))}" if layer.bias else ""
    z = float(step.z[i] if step.z is not None else step.y[i])
    more = f" + {signed(rest)} (the other {left} products)" if left else ""
    lines = [f"z{i + 1} = {shown}{more}{bias} = {number(z)}"]
    return lines + ([f"y{i + 1} = f(z{i + 1}) = {number(float(step.y[i]))}"] if step.z is not None else [])
