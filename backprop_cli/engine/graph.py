"""The network: a static graph of layers that owns every activation and every gradient.

Data pass through like this: a batch is written into the input buffer; each node, in topological
order, writes its own y; the loss writes dL/dy of the last one; each node, in reverse, writes its
parameters' gradients and the dx of what it read. Where an output fans out, the graph adds the
contributions. Buffers are planned once for the largest batch (see memory.py); a short batch is a view.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from backprop_cli.engine import kernels as kernel_sets
from backprop_cli.engine.layer import Activation, Layer, Needs, Shape
from backprop_cli.engine.losses.base import Loss
from backprop_cli.engine.memory import Bindings, Plan
from backprop_cli.engine.parameters import Entry, ParameterStore
from backprop_cli.engine.random import generator
from backprop_cli.errors import BuildError
from backprop_cli.registry import expected

Array = npt.NDArray[Any]
INPUT = "input"  # the node name that means the data


@dataclass
class Node:
    """A layer at its place: where its input comes from, what leaves it."""

    name: str
    layer: Layer
    inputs: tuple[str, ...]
    input_shapes: tuple[Shape, ...] = ()
    shape: Shape = ()
    needs_gradient: bool = False  # something at or before it is trained
    consumers: int = 0


class Network:
    """A built network. `parameters` and `gradients` map names to views of two flat vectors.

    >>> z = network.forward(x, training=True)     # x (N, …), images NHWC, sequences (N, T, F)
    >>> loss = network.loss(z, target)
    >>> network.backward()                        # fills network.gradients

    What `forward` returns is a view that the next `forward` overwrites.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        input_shape: Shape,
        loss: Loss | None = None,
        *,
        seed: int = 0,
        dtype: str = "float32",
        integer_input: bool = False,
        kernels: str = "numpy",
        input_gradient: bool = False,
        observe: bool = False,
    ) -> None:
        self.input_shape = tuple(input_shape)
        self.dtype = np.dtype(dtype)
        self.input_dtype = np.dtype(np.int64) if integer_input else self.dtype
        self.input_gradient = input_gradient
        self.observe = observe  # no two nodes share memory, so that every y and dy can be read afterwards
        self.kernels = kernel_sets.load(kernels)
        self.loss_function = loss
        self.nodes = _sorted(nodes)
        self.rng = generator(seed, "dropout")
        self._build_shapes()
        self.head = self._take_head()
        self.store = self._allocate_parameters()
        self.parameters = self.store.parameters
        self.gradients = self.store.gradient_views
        self.states = self.store.states
        self.store.initialize(generator(seed, "init"), self._parameter_order)
        self.plan = Plan(self)
        self.use(kernels)
        self._bound: Bindings | None = None

    # ---- building -------------------------------------------------------------------------

    def _build_shapes(self) -> None:
        by_name = {node.name: node for node in self.nodes}
        for node in self.nodes:
            self._prepare(node.layer)
            node.input_shapes = tuple(
                self.input_shape if name == INPUT else by_name[name].shape for name in node.inputs
            )
            if len(node.inputs) > 1 and not node.layer.merges:
                raise BuildError(f"a {node.layer.type_name} layer takes one input, got {len(node.inputs)}", node.name)
            if self.input_dtype.kind == "i" and INPUT in node.inputs and not node.layer.integer_input:
                raise BuildError(
                    f"{node.layer.type_name} works on real numbers, but the data are integers (token ids); "
                    "put an embedding layer first, or a one_hot transform on the data",
                    node.name,
                )
            try:
                node.shape = tuple(int(size) for size in node.layer.build(*node.input_shapes))
            except BuildError as error:
                raise BuildError(error.message, node.name) from None
            for name in node.inputs:
                if name != INPUT:
                    by_name[name].consumers += 1
        loose = [node.name for node in self.nodes[:-1] if node.consumers == 0]
        if loose:
            raise BuildError(
                f"nothing reads the output of {', '.join(loose)}; the last layer, {self.nodes[-1].name}, "
                "is the network's output, so every other one must feed a layer",
                loose[0],
            )

    def _take_head(self) -> Activation | None:
        """Fuse a final softmax or sigmoid with its cross-entropy: the last node then ends at z, and the
        loss's gradient is (p − y)/N, which no overflow of exp can touch."""
        last = self.nodes[-1]
        inner = getattr(last.layer, "activation", None)
        found = inner if isinstance(inner, Activation) else last.layer
        if self.loss_function is None or found.type_name not in self.loss_function.fuses:
            return None
        if found is last.layer:
            if len(self.nodes) == 1 or self._by_name(last.inputs[0]).consumers > 1:
                return None
            self.nodes.pop()
            self.nodes[-1].consumers = 0
        else:
            last.layer = replace(last.layer, activation=None)  # type: ignore[call-arg]  # a field of its own
            self._prepare(last.layer)
            last.layer.build(*last.input_shapes)
        assert isinstance(found, Activation)
        self._prepare(found)
        found.build(self.output_shape)
        return found

    def _prepare(self, layer: Layer) -> None:
        """Forget what an earlier build asked for, and lend the layer what it shares with the network."""
        for _, part in layer.walk():
            part.needs, part.rng, part.kernels = Needs(), self.rng, self.kernels

    def _by_name(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def _allocate_parameters(self) -> ParameterStore:
        entries: list[Entry] = []
        states: dict[str, tuple[Shape, float]] = {}
        owners = {node.name for node in self.nodes if node.layer.shared is None}
        for node in self.nodes:
            own = [f"{p}{spec.name}" for p, part in node.layer.walk() for spec in part.needs.parameters]
            frozen = node.layer.frozen
            unknown = [] if isinstance(frozen, bool) else [name for name in frozen if name not in own]
            if unknown:
                raise BuildError(f"frozen names {unknown[0]!r}; {expected(unknown[0], own)}", node.name)
            if node.layer.shared is not None:
                if node.layer.shared not in owners:
                    hint = expected(node.layer.shared, owners)
                    raise BuildError(f"shared: there is no layer {node.layer.shared!r}; {hint}", node.name)
                owner = self._by_name(node.layer.shared).layer
                if type(owner) is not type(node.layer):
                    raise BuildError(
                        f"a {node.layer.type_name} layer cannot share what {node.layer.shared} learns: "
                        f"that is a {owner.type_name} layer; both must be of one type",
                        node.name,
                    )
                continue
            for prefix, part in node.layer.walk():
                for spec in part.needs.parameters:
                    still = frozen if isinstance(frozen, bool) else f"{prefix}{spec.name}" in frozen
                    name = f"{node.name}.{prefix}{spec.name}"
                    constraint = node.layer.constraint if spec.decay else None
                    entries.append(Entry(name, spec.shape, spec.initializer, spec.decay, still, constraint))
                for state in part.needs.states:
                    states[f"{node.name}.{prefix}{state.name}"] = (state.shape, state.value)
        self._parameter_order = [entry.name for entry in entries]
        store = ParameterStore(entries, states, self.dtype)
        self._bind_parameters(store)
        return store

    def _bind_parameters(self, store: ParameterStore) -> None:
        """Give every layer its views. Of nodes that share parameters the last writes the gradient; the
        others write beside it, and the graph adds (`_shared_sums`)."""
        self._penalties: list[tuple[Array, Array, float, float]] = []
        self._shared_sums: dict[str, list[tuple[Array, Array]]] = {}
        last_user = {node.layer.shared or node.name: node.name for node in self.nodes}
        for node in self.nodes:
            owner = node.layer.shared or node.name
            for prefix, part in node.layer.walk():
                for spec in part.needs.parameters:
                    name = f"{owner}.{prefix}{spec.name}"
                    if name not in store.parameters or store.parameters[name].shape != spec.shape:
                        raise BuildError(
                            f"cannot share {name}: here it would have shape {spec.shape}, "
                            f"there it has {store.parameters[name].shape if name in store.parameters else None}",
                            node.name,
                        )
                    gradient = store.gradient_views[name]
                    if last_user[owner] != node.name:
                        beside = np.zeros_like(gradient)
                        self._shared_sums.setdefault(node.name, []).append((beside, gradient))
                        gradient = beside
                    setattr(part, spec.name, store.parameters[name])
                    setattr(part, f"d{spec.name}", gradient)
                    entry, layer = store.entries[name], node.layer
                    if (layer.l1 or layer.l2) and spec.decay and not entry.frozen and owner == node.name:
                        view = store.gradient_views[name]
                        self._penalties.append((store.parameters[name], view, layer.l1, layer.l2))
                for state in part.needs.states:
                    setattr(part, state.name, store.states[f"{owner}.{prefix}{state.name}"])
        self._mark_gradients(store)

    def _mark_gradients(self, store: ParameterStore) -> None:
        by_name: dict[str, Node] = {}
        for node in self.nodes:
            owner = node.layer.shared or node.name
            own = any(
                not store.entries[f"{owner}.{prefix}{spec.name}"].frozen
                for prefix, part in node.layer.walk()
                for spec in part.needs.parameters
            )
            before = any(by_name[name].needs_gradient if name != INPUT else self.input_gradient for name in node.inputs)
            node.needs_gradient = own or before
            by_name[node.name] = node

    def use(self, kernels: str) -> None:
        """Run with these kernels, `numpy` or `numba`, from now on. Raises UsageError where there is no Numba."""
        self.kernels = kernel_sets.load(kernels)
        for layer in [*(node.layer for node in self.nodes), *([self.head] if self.head else [])]:
            for _, part in layer.walk():
                part.kernels = self.kernels
        if self.loss_function is not None:
            self.loss_function.kernels = self.kernels

    # ---- running --------------------------------------------------------------------------

    @property
    def output_shape(self) -> Shape:
        """The shape of one example's output."""
        return self.nodes[-1].shape

    @property
    def last_activation(self) -> str | None:
        """The activation that outputs pass last, `linear` where a layer leaves it out; None if that is unknown."""
        if self.head is not None:
            return self.head.type_name
        node = self.nodes[-1]
        while node.layer.view and node.inputs[0] != INPUT:
            node = self._by_name(node.inputs[0])
        if isinstance(node.layer, Activation):
            return node.layer.type_name
        if not hasattr(node.layer, "activation"):
            return None
        inner = node.layer.activation
        return "linear" if inner is None else str(inner.type_name)

    def reserve(self, batch: int) -> None:
        """Plan memory for batches of up to this many examples."""
        self.plan.reserve(batch)

    def input_buffer(self, n: int) -> Array:
        """Where the next batch of n examples may be written, to save a copy."""
        return self._bind(n).input

    def _bind(self, n: int) -> Bindings:
        if self._bound is None or self._bound.n != n:
            self._bound = self.plan.bind(n)
        return self._bound

    def forward(self, x: Array, training: bool = False, *, copy: bool = True) -> Array:
        """The network's output for x (N, …): the value of the last layer, its activation included.

        Without `copy` it is the network's own array, which the next pass overwrites.
        """
        x = np.asarray(x)
        bound = self._bind(len(x))
        if x is not bound.input:
            if x.shape[1:] != self.input_shape:
                raise BuildError(f"the network takes inputs of shape {self.input_shape}, got {x.shape[1:]}")
            np.copyto(bound.input, x, casting="same_kind")
        for run, source, y in bound.forward:
            run(source, y, training)
        if self.head is not None:
            self.head.forward(bound.z, bound.output, training)
        return bound.output.copy() if copy else bound.output

    def loss(self, z: Array, target: Array, weight: Array | None = None) -> float:
        """The mean loss of outputs z (what `forward` returned) against targets, penalties included.

        `weight` (N,) weighs the examples, (N, T) their steps. Steps that a mask leaves out do not count.
        L1/L2: Σ l1·|w| + l2·w² over the layers that ask for it.
        """
        bound, target = self._bind(len(z)), np.asarray(target)
        assert self.loss_function is not None, "this network was built without a loss"
        if z is not bound.output and not np.array_equal(z, bound.output):
            np.copyto(bound.output, z)
            if self.head is not None:
                self.head.inverse(bound.output, bound.z)
        if bound.mask is not None:
            weight = _masked_weight(bound.mask, weight, bound.step_weight)
        self._target, self._weight = target, weight
        value = self.loss_function.forward(bound.z, bound.output, target, weight)
        return value + self.penalty() if self._penalties else value

    @property
    def output_mask(self) -> Array | None:
        """Which steps of the last output (N, T, …) count, as (N, T) booleans; None where all do. Metrics of
        padded sequences are those of `y[mask]` and `target[mask]`."""
        return self._bound.mask if self._bound is not None else None

    def penalty(self) -> float:
        """The L1/L2 part of the loss."""
        total = 0.0
        for w, _, l1, l2 in self._penalties:
            total += l1 * float(np.abs(w).sum()) + l2 * float(np.vdot(w, w))
        return total

    def backward(self) -> None:
        """Back-propagate the last loss: fills `gradients`, overwriting what was there."""
        bound = self._bound
        assert bound is not None and self.loss_function is not None, "call forward and loss first"
        self.loss_function.backward(bound.z, bound.output, self._target, self._weight, bound.dz)
        for run, x, y, dy, dx, sums in bound.backward:
            run(x, y, dy, dx)
            for part, total in sums:
                np.add(total, part, out=total)
        for w, gradient, l1, l2 in self._penalties:
            gradient += l1 * np.sign(w) + 2 * l2 * w

    @property
    def output(self) -> Array:
        """What the last `forward` returned."""
        assert self._bound is not None, "call forward first"
        return self._bound.output

    @property
    def bound(self) -> Bindings | None:
        """The arrays of the last pass: `values` holds every layer's y; None before the first."""
        return self._bound

    @property
    def input_gradients(self) -> Array:
        """dL/dx of the last backward pass; for networks built with `input_gradient=True`."""
        assert self._bound is not None and self._bound.dinput is not None, "built without input_gradient"
        return self._bound.dinput

    def load_parameters(self, values: Mapping[str, Any]) -> None:
        """Set parameters by name. Raises BuildError for an unknown name or a wrong shape; nothing changes then."""
        self.store.load(values, self.parameters)

    @property
    def bytes(self) -> int:
        """Memory held: parameters, gradients, state, activations and workspaces."""
        store = self.store
        return store.values.nbytes + store.gradients.nbytes + store.state.nbytes + self.plan.bytes


def _masked_weight(mask: Array, weight: Array | None, out: Array) -> Array:
    """Weights (N, T) that turn a mean over all steps into one over those that count."""
    np.copyto(out, mask)
    if weight is not None:
        np.multiply(out, weight.reshape(len(mask), -1), out=out)
    return np.multiply(out, mask.size / max(int(np.count_nonzero(mask)), 1), out=out)


def _sorted(nodes: Sequence[Node]) -> list[Node]:
    """Topological order, the config's order kept where it can be."""
    names = {node.name for node in nodes}
    for node in nodes:
        for name in node.inputs:
            if name not in names and name != INPUT:
                raise BuildError(f"there is no layer {name!r} to read; {expected(name, {*names, INPUT})}", node.name)
    done: set[str] = {INPUT}
    ordered: list[Node] = []
    waiting = list(nodes)
    while waiting:
        ready = next((node for node in waiting if done.issuperset(node.inputs)), None)
        if ready is None:
            raise BuildError(
                f"the inputs of {', '.join(node.name for node in waiting)} run in a circle", waiting[0].name
            )
        waiting.remove(ready)
        done.add(ready.name)
        ordered.append(ready)
    return ordered
