"""One training step of backpropagation, number by number.

The network is built in float64, without shared memory, and shown one example. For every layer: the
equations (from its docstring), its inputs and outputs, δ, each gradient beside its central
difference, and the update. Layers of up to `READABLE` units are also written out as arithmetic one
can follow with a pencil.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from backprop_cli.config import Config
from backprop_cli.engine.arrays import Array
from backprop_cli.engine.gradcheck import derivative, relative_error
from backprop_cli.engine.graph import Network, Node
from backprop_cli.engine.layer import Layer
from backprop_cli.engine.layers.batch_norm import BatchNorm
from backprop_cli.engine.layers.conv1d import Conv1d
from backprop_cli.engine.layers.conv2d import Conv2d
from backprop_cli.engine.layers.dense import Dense
from backprop_cli.engine.layers.gru import GRU
from backprop_cli.engine.layers.lstm import LSTM
from backprop_cli.engine.layers.rnn import RNN
from backprop_cli.errors import UsageError
from backprop_cli.insight.trace import batch_norm, convolution, recurrent
from backprop_cli.insight.trace.arithmetic import dense_backward, dense_forward, equations
from backprop_cli.insight.trace.step import READABLE, Gradient, LayerStep, Trace, TracedParameter, Written
from backprop_cli.insight.view import alone
from backprop_cli.model import build

MOST_FLOPS = 600  # of a layer whose sums are written out: 300 products forward
WAYS = {
    Conv1d: convolution.write,
    Conv2d: convolution.write,
    RNN: recurrent.write,
    LSTM: recurrent.write,
    GRU: recurrent.write,
    BatchNorm: batch_norm.write,
}
CHECKED = 12  # gradients of a larger parameter that are compared: the largest ones


def trace(cfg: Config, sample: int = 0, prepared: build.Prepared | None = None, **options: Any) -> Trace:
    """Trace one step of a config on one example of its training split. `prepared` brings trained weights.

    Raises UsageError for a sample that does not exist.
    """
    weights = dict(prepared.network.parameters) if prepared else None
    states = dict(prepared.network.states) if prepared else {}
    cfg = replace(cfg, dtype="float64")
    prepared = build.prepare(cfg, observe=True, input_gradient=True, kernels="numpy", **options)
    network = prepared.network
    if weights is not None:
        network.load_parameters(weights)
        network.store.load(states, network.states)
    x, y = example(prepared, sample)
    optimizer = cfg.optimizer
    optimizer.bind(network.store, 1)
    rate = optimizer.current_rate
    loss_again = still(network, x, y)
    pass_ = passed(network, x, y)
    for step in pass_.steps:
        step.parameters = _parameters(network, step.name, pass_.gradients, loss_again)
    steps = pass_.steps
    optimizer.step()
    for step in steps:
        for parameter in step.parameters:
            for gradient in parameter.gradients:
                gradient.updated = float(network.parameters[parameter.name][gradient.index])
    network.rng.bit_generator.state = pass_.rng
    after = network.loss(network.forward(x, training=True, copy=False), y)
    return Trace(
        cfg.name, "train", sample, x[0], y[0], steps, pass_.output, cfg.loss.type_name, equations(cfg.loss),
        pass_.compared, cfg.loss.terms(*pass_.compared), pass_.loss, after,
        network.head.type_name if network.head else None, optimizer.type_name, equations(optimizer), rate,
        getattr(optimizer, "epsilon", None), alone(network),
    )  # fmt: skip


@dataclass
class Pass:
    """Forward, loss and backward of one example, nothing updated. `rng` is the state that random layers began with."""

    steps: list[LayerStep]
    output: Array
    compared: tuple[Array, Array]
    loss: float
    gradients: dict[str, Array]
    rng: Any


def passed(network: Network, x: Array, y: Array, training: bool = True) -> Pass:
    """One pass of a network in float64 that was built to `observe`, each layer's part written out where it is small."""
    rng = network.rng.bit_generator.state
    network.forward(x, training=training, copy=False)
    loss = network.loss(network.output, y)
    compared = (network.compared[0][0].copy(), network.compared[1][0].copy())
    upstream = _backward(network)
    steps = [_step(network, node, upstream, y[0]) for node in network.nodes]
    output, gradients = network.output[0].copy(), {k: v.copy() for k, v in network.gradients.items()}
    for step, node in zip(steps, network.nodes, strict=True):
        _write(step, node.layer, gradients)
    return Pass(steps, output, compared, loss, gradients, rng)


def still(network: Network, x: Array, y: Array, training: bool = True) -> Callable[[], float]:
    """The loss of an example with the parameters as they then are; random numbers and running statistics are those of
    now, each time."""
    rng, states = network.rng.bit_generator.state, network.store.state.copy()

    def loss() -> float:
        network.rng.bit_generator.state = rng
        network.store.state[...] = states
        return network.loss(network.forward(x, training=training, copy=False), y)

    return loss


def example(prepared: build.Prepared, sample: int) -> tuple[Array, Array]:
    """An example of the training split as the network gets it, augmentation left out. Raises UsageError."""
    batches = prepared.batches("train")
    if not 0 <= sample < batches.samples:
        raise UsageError(f"there is no sample {sample}; the training split has the samples 0 to {batches.samples - 1}")
    skip, within = divmod(sample, batches.batch_size)
    x, y = next(iter(batches.epoch(0, start=skip)))
    return x[within : within + 1].copy(), y[within : within + 1].copy()


def _backward(network: Network) -> dict[str, Array]:
    """Run the backward pass call by call; dL/dy of every node as it was before its layer used it up."""
    before: dict[str, Array] = {}

    def keep(node: Node, way: str, call: Callable[[], None]) -> None:
        before[node.name] = network.deltas[node.name].copy()
        call()

    with network.calls(keep):
        network.backward()
    return before


def _step(network: Network, node: Node, upstream: dict[str, Array], target: Array) -> LayerStep:
    values, deltas, layer = network.outputs, network.deltas, node.layer
    last = node is network.nodes[-1]
    y = values[node.name][0].copy()
    z = None
    if isinstance(layer, Dense) and (layer.activation is not None or (last and network.head is not None)):
        x = values[node.inputs[0]][0]
        z = x @ layer.W + (layer.b if layer.bias else 0)
    if last and network.head is not None:
        y = network.output[0].copy()
    delta = deltas[node.name][0].copy() if node.name in upstream else None
    before = {**deltas, **upstream}  # a layer may write over the δ that it was given, as pooling does
    step = LayerStep(
        name=node.name,
        type=layer.type_name,
        symbols=equations(layer),
        x=[values[name][0].copy() for name in node.inputs],
        y=y,
        z=z,
        upstream=upstream[node.name][0] if node.name in upstream else None,
        delta=delta,
        dx=[before[name][0].copy() if name in before else None for name in node.inputs],
        inputs=list(node.inputs),
    )
    readable = isinstance(layer, Dense) and y.ndim == 1 and len(y) <= READABLE and step.x[0].size <= READABLE
    if isinstance(layer, Dense) and readable:
        activation = layer.activation or (network.head if last else None)
        step.forward = dense_forward(step, layer, activation)
        step.backward = dense_backward(step, layer, activation, last and network.head is not None, target)
    return step


def _write(step: LayerStep, layer: Layer, gradients: dict[str, Array]) -> None:
    """The sums of a small layer of another kind, if they end in what the engine has: options may ask for more."""
    way: Any = WAYS.get(type(layer))
    if way is None or layer.flops(step.x[0].shape) > MOST_FLOPS or getattr(layer, "learns_start", False):
        return  # a state that is trained has gradients that `recurrent` does not write out
    written: Written = way(step, layer)
    mine = written.gradients or {}
    theirs = {name: step.dx[0] if name == "x" else gradients.get(f"{step.name}.{name}") for name in mine}
    same = _equal(written.y, step.y) and all(theirs[name] is None or _equal(mine[name], theirs[name]) for name in mine)
    if same:
        step.forward, step.backward = written.forward, list(written.backward)


def _equal(a: Array, b: Array | None) -> bool:
    return b is not None and a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-7, atol=1e-10))


def _parameters(
    network: Network, name: str, gradients: dict[str, Array], loss: Callable[[], float]
) -> list[TracedParameter]:
    parameters = []
    for own, values in network.parameters.items():
        if not own.startswith(f"{name}."):
            continue
        parameter = TracedParameter(own, values.shape, network.store.entries[own].frozen)
        for index in _shown(gradients[own]):
            analytic, numeric = float(gradients[own][index]), derivative(loss, values, index)
            error = relative_error(analytic, numeric)
            parameter.gradients.append(Gradient(index, float(values[index]), analytic, numeric, error, 0.0))
        parameters.append(parameter)
    return parameters


def _shown(gradient: Array) -> list[tuple[int, ...]]:
    """Every index of a small array, the largest gradients of a large one."""
    flat = np.arange(gradient.size)
    if gradient.size > READABLE * READABLE:
        flat = np.argsort(-np.abs(gradient).reshape(-1), kind="stable")[:CHECKED]
    return [tuple(int(i) for i in np.unravel_index(position, gradient.shape)) for position in flat]
