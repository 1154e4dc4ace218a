"""The gradient battery: every registered layer and loss, over its own examples.

A layer brings `examples`: options and the shapes of its inputs, `padded` where they are to come with a
mask. Each is checked with a batch of
three, a batch of one, a short batch after a long one, in training and inference, with dx asked for
and not. A plugin's layers are checked the same way, by being registered.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.gradcheck import TOLERANCE, Check, check_network
from backprop_cli.engine.graph import INPUT, Network, Node
from backprop_cli.engine.layer import Activation, Layer
from backprop_cli.engine.losses.base import Loss
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import classes, find, make, slot

INTEGERS = 4  # token ids drawn for layers that take integers


class InputPart(Layer):
    """A piece of a flat input, in a shape of its own: gives a layer with several inputs its inputs."""

    start: int = slot()
    shape: Shape = slot()

    def __init__(self, start: int, shape: Shape) -> None:
        super().__init__()
        self.start, self.shape = start, shape

    def build(self, *shapes: Shape) -> Shape:
        return self.shape

    @property
    def needs_output(self) -> bool:
        return False

    def forward(self, x: Array, y: Array, training: bool) -> None:
        np.copyto(y, x[:, self.start : self.start + int(np.prod(self.shape))].reshape(y.shape))

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        stop = self.start + int(np.prod(self.shape))
        part = graph.add("Slice", x, np.array([self.start]), np.array([stop]), np.array([1]))
        return graph.add("Reshape", part, np.array([0, *self.shape]))

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            dx[...] = 0
            dx[:, self.start : self.start + int(np.prod(self.shape))] = dy.reshape(len(dy), -1)


class Padded(Layer):
    """The identity, with a mask: of each sequence after the first another step at its end does not count."""

    def build(self, *shapes: Shape) -> Shape:
        self.makes_mask(shapes[0][0])
        return shapes[0]

    def forward(self, x: Array, y: Array, training: bool) -> None:
        np.copyto(y, x)
        steps = x.shape[1]
        self.made_mask[...] = True
        for missing in range(1, steps):
            self.made_mask[missing::steps, steps - missing :] = False

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        steps = graph.shapes[0][0]
        rows = graph.add("Squeeze", graph.add("Slice", graph.add("Shape", x), np.array([0]), np.array([1])))
        missing = graph.add("Mod", graph.add("Range", 0, rows, 1), steps)
        counted = graph.add("Unsqueeze", graph.add("Sub", steps, missing), np.array([1]))
        graph.made_mask = graph.add("Less", np.arange(steps)[None], counted)
        return x

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            np.copyto(dx, dy)


class Projection(Loss):
    """L = Σ r ⊙ y with fixed random r: every output takes part, each with a weight of its own."""

    def forward(self, z: Array, y: Array, target: Array, weight: Array | None) -> float:
        return float(np.vdot(target, y))

    def backward(self, z: Array, y: Array, target: Array, weight: Array | None, dz: Array) -> None:
        np.copyto(dz, target)


def run(only: str | None = None, tolerance: float = TOLERANCE) -> Iterator[Check]:
    """Check every registered layer and loss, or the one named."""
    for kind, check in (("layer", check_layer), ("loss", check_loss)):
        for cls in classes(kind).values():
            if only is None or find(kind, only) is cls:
                yield from check(cls, tolerance)


def check_layer(cls: Any, tolerance: float = TOLERANCE) -> Iterator[Check]:
    """Every example of a layer class, in every circumstance."""
    for example in cls.examples:
        options, shapes = example.get("options", {}), [tuple(shape) for shape in example["inputs"]]
        label = ", ".join(f"{key}={value}" for key, value in options.items()) or "defaults"
        padded = example.get("padded", False)
        label += "; padded" if padded else ""
        for batch, reserved, training in ((3, 3, True), (1, 1, True), (2, 5, True), (3, 3, False)):
            case = f"{label}; x {' '.join(map(str, shapes))}; N={batch}" + ("" if training else "; inference")
            network, x, r = around(cls(**options), shapes, batch, padded=padded)
            network.reserve(reserved)
            yield check_network(network, x, r, name=cls.type_name, case=case, training=training, tolerance=tolerance)
        yield _without_dx(cls, options, shapes, label, padded)
        if issubclass(cls, Activation):
            network, x, r = around(
                make("layer", {"type": "dense", "units": 3, "activation": cls(**options)}), [(4,)], 3
            )
            yield check_network(network, x, r, name=cls.type_name, case=f"{label}; of dense", tolerance=tolerance)


def around(
    layer: Layer, shapes: list[Shape], batch: int, *, input_gradient: bool = True, padded: bool = False
) -> tuple[Network, Array, Array]:
    """A network of just this layer, with data and a projection to go with it."""
    rng = np.random.default_rng(batch)
    if layer.integer_input:
        nodes, shape = [Node("layer", layer, (INPUT,))], shapes[0]
        x: Array = rng.integers(0, INTEGERS, (batch, *shape))
        input_gradient = False
    elif len(shapes) == 1 and not layer.merges:
        nodes, shape = [Node("layer", layer, (INPUT,))], shapes[0]
        x = rng.normal(size=(batch, *shape))
    else:
        sizes = [int(np.prod(shape)) for shape in shapes]
        starts = [sum(sizes[:i]) for i in range(len(sizes))]
        nodes = [
            Node(f"part{i}", InputPart(start, shape), (INPUT,))
            for i, (start, shape) in enumerate(zip(starts, shapes, strict=True))
        ]
        nodes.append(Node("layer", layer, tuple(node.name for node in nodes)))
        shape = (sum(sizes),)
        x = rng.normal(size=(batch, *shape))
    if padded:
        sources = nodes[-1].inputs
        nodes[-1].inputs = tuple(f"padded_{name}" for name in sources)
        nodes = [*nodes[:-1], *(Node(f"padded_{name}", Padded(), (name,)) for name in sources), nodes[-1]]
    network = Network(
        nodes,
        shape,
        Projection(),
        seed=1,
        dtype="float64",
        integer_input=layer.integer_input,
        input_gradient=input_gradient,
    )
    network.store.values += 0.1 * rng.normal(size=network.store.values.shape)  # zeros and ones hide mistakes
    return network, x, rng.normal(size=(batch, *network.output_shape))


def _without_dx(cls: Any, options: dict[str, Any], shapes: list[Shape], label: str, padded: bool) -> Check:
    """Parameters get the same gradients when nobody asks for dx."""
    gradients = []
    for asked in (True, False):
        network, x, r = around(cls(**options), shapes, 3, input_gradient=asked, padded=padded)
        network.store.gradients[...] = np.nan
        network.loss(network.forward(x, training=True, copy=False), r)
        if asked or network.parameters:
            network.backward()
        gradients.append({name: view.copy() for name, view in network.gradients.items()})
    with_dx, without = gradients
    differing = [name for name in with_dx if not np.array_equal(with_dx[name], without[name])]
    worst = f"{differing[0]} differs when dx is None" if differing else ""
    return Check(cls.type_name, f"{label}; dx=None", float("inf") if differing else 0.0, worst, not differing)


def check_loss(cls: Any, tolerance: float = TOLERANCE) -> Iterator[Check]:
    """Every example of a loss, alone, fused with its activation, and with weighed examples."""
    for example in cls.examples:
        options, shape = example.get("options", {}), tuple(example["output"])
        label = ", ".join(f"{key}={value}" for key, value in options.items()) or "defaults"
        for activation, weighed in ((None, False), (None, True), *((name, True) for name in cls.fuses)):
            rng = np.random.default_rng(len(shape))
            nodes = [Node("layer", make("layer", example.get("activation", "linear")), (INPUT,))]
            if activation is None:
                nodes.append(Node("end", make("layer", "linear"), ("layer",)))
            network = Network(nodes, shape, cls(**options), dtype="float64", input_gradient=True)
            if activation is not None:
                nodes = [
                    Node("start", make("layer", "linear"), (INPUT,)),
                    Node("layer", make("layer", activation), ("start",)),
                ]
                network = Network(nodes, shape, cls(**options), dtype="float64", input_gradient=True)
                assert network.head is not None
            x = rng.normal(size=(3, *shape))
            target = _target(example["target"], shape, rng)
            weight = rng.uniform(0.5, 2, (3, *shape[:-1])) if weighed else None
            case = f"{label}; y {shape}" + (f"; fused with {activation}" if activation else "")
            case += "; weighed" if weighed else ""
            yield check_network(network, x, target, name=cls.type_name, case=case, weight=weight, tolerance=tolerance)


def _target(kind: str, shape: Shape, rng: np.random.Generator) -> Array:
    """Targets of the sort a loss takes, for three examples."""
    if kind == "classes":
        return rng.integers(0, shape[-1], (3, *shape[:-1]))
    if kind == "distribution":
        raw = rng.uniform(0.1, 1, (3, *shape))
        return np.asarray(raw / raw.sum(axis=-1, keepdims=True))
    if kind == "binary":
        return rng.integers(0, 2, (3, *shape)).astype(float)
    if kind == "signs":
        return rng.choice([-1.0, 1.0], (3, *shape))
    if kind == "positive":
        return rng.uniform(0.5, 2, (3, *shape))
    return rng.normal(size=(3, *shape))
