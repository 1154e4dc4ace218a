"""The network: a static graph of layers that owns every activation and every gradient.

Data pass through like this: a batch is written into the input buffer; each node, in topological
order, writes its own y; the loss writes dL/dy of the last one; each node, in reverse, writes its
parameters' gradients and the dx of what it read. Where an output fans out, the graph adds the
contributions. Buffers are planned once for the largest batch (see memory.py); a short batch is a view. The passes are
in one file because each uses what the one before has left in the arrays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from backprop_cli.engine import assembly
from backprop_cli.engine.activations import last_activations, outputs_of
from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.inside import Inside
from backprop_cli.engine.kernels import load
from backprop_cli.engine.layer import Activation, Layer
from backprop_cli.engine.losses.base import Loss
from backprop_cli.engine.memory import Bindings, MemoryPlan
from backprop_cli.engine.needs import Needs
from backprop_cli.engine.node import INPUT, Node, ordered
from backprop_cli.engine.ranks import ALONE, Drawn, Ranks
from backprop_cli.errors import BuildError
from backprop_cli.seeds import generator

__all__ = ["INPUT", "Network", "Node"]


class Network(Inside):
    """A built network. `parameters` and `gradients` map names to views of two flat vectors.

    >>> z = network.forward(x, training=True)     # x (N, …), images NHWC, sequences (N, T, F)
    >>> loss = network.loss(z, target)
    >>> network.backward()                        # fills network.gradients

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
        most: int | None = None,
    ) -> None:
        """`most`: the bytes of a file that parameters and states will be loaded from. A network that needs more is
        refused before memory is taken, and none are drawn."""
        self.input_shape = tuple(input_shape)
        self.dtype = np.dtype(dtype)
        self.input_dtype = np.dtype(np.int64) if integer_input else self.dtype
        self.input_gradient = input_gradient
        self.observe = observe  # no two nodes share memory, so that every y and dy can be read afterwards
        self.kernels = load(kernels)
        self.loss_function = loss
        self.nodes = ordered(nodes)
        self.rng = generator(seed, "dropout")
        self.share = 1.0  # of the batch's loss that the gradients of this pass are those of; see `join`
        assembly.build_shapes(self.nodes, self.input_shape, integer_input, self._prepare)
        self.head = assembly.take_head(self.nodes, loss, self._prepare)
        self.unit = assembly.take_unit(self.nodes, loss)
        self.store = assembly.allocate(self.nodes, self.dtype, most)
        self.wiring = assembly.bind(self.nodes, self.store)
        assembly.mark_gradients(self.nodes, self.store, input_gradient)
        self.parameters = self.store.parameters
        self.gradients = self.store.gradient_views
        self.states = self.store.states
        if most is None:
            self.store.initialize(generator(seed, "init"))
        self.adders = [node.layer for node in self.nodes if node.layer.adds_loss]
        self.plan = MemoryPlan(self)
        self.use(kernels)
        self.told = 0.0  # the last loss in the unit of the targets; see the layer unscale
        self.counted = 0  # examples the last loss is the mean of; steps, where a mask leaves some out
        self._owners = {id(node.layer): node for node in self.nodes}

    def _prepare(self, layer: Layer) -> None:
        """Forget what an earlier build asked for, and lend the layer what it shares with the network."""
        for _, part in layer.walk():
            part.needs, part.rng, part.kernels, part.ranks = Needs(), self.rng, self.kernels, ALONE

    def join(self, ranks: Ranks) -> None:
        """From now on be passed parts of batches, whose gradients are summed over `ranks`."""
        rng: Any = Drawn(self.rng, ranks)
        self.store.summed = True
        for node in self.nodes:
            for _, part in node.layer.walk():
                part.ranks, part.rng = ranks, rng

    def use(self, kernels: str) -> None:
        """Run with these kernels, `numpy` or `compiled`, from now on. Raises UsageError where there are none."""
        self.kernels = load(kernels)
        for layer in [*(node.layer for node in self.nodes), *([self.head] if self.head else [])]:
            for _, part in layer.walk():
                part.kernels = self.kernels
        if self.loss_function is not None:
            self.loss_function.kernels = self.kernels

    @property
    def output_shape(self) -> Shape:
        """The shape of one example's output."""
        return self.nodes[-1].shape

    @property
    def joined(self) -> dict[str, tuple[slice, Activation | None]]:
        """Where in the output those of single layers lie, and the activation each passed last; where a concat ends."""
        return outputs_of(self.nodes)

    def ends(self) -> Iterator[tuple[str, Activation | None, Shape]]:
        """Every node with the activation that its output passes last, and the shape of one output."""
        ends = last_activations(self.nodes)
        for node in self.nodes[:-1]:
            yield node.name, ends[node.name], node.shape
        yield self.nodes[-1].name, self.last_activation, self.output_shape

    @property
    def last_activation(self) -> Activation | None:
        """The activation that outputs pass last, `linear` where a layer leaves it out; None if that is unknown."""
        return self.head if self.head is not None else last_activations(self.nodes)[self.nodes[-1].name]

    @property
    def gives_logits(self) -> bool:
        """Whether the activation fused with the loss makes probabilities of logits, which can then be had, too."""
        return self.head is not None and self.head.takes_logits

    @property
    def names(self) -> dict[int, str]:
        """The name of the node that each layer, by its identity, belongs to."""
        return {number: node.name for number, node in self._owners.items()}

    def node(self, name: str) -> Node:
        """The node of that name."""
        return next(node for node in self.nodes if node.name == name)

    def reserve(self, batch: int) -> None:
        """Plan memory for batches of up to this many examples."""
        if self.plan.reserve(batch):
            self._bound = None

    def input_buffer(self, n: int) -> Array:
        """Where the next batch of n examples may be written, to save a copy."""
        return self.bind(n).input

    def bind(self, n: int) -> Bindings:
        """The arrays of a batch of n examples, and the calls that fill them."""
        if self._bound is None or self._bound.n != n:
            self._bound = self.plan.bind(n)
        return self._bound

    def forward(self, x: Array, training: bool = False, *, copy: bool = True) -> Array:
        """The network's output for x (N, …): the value of the last layer, its activation included.

        Without `copy` it is the network's own array, which the next pass overwrites.
        """
        x = np.asanyarray(x)
        bound = self.bind(len(x))
        if x is not bound.input:
            if x.shape[1:] != self.input_shape:
                raise BuildError(f"the network takes inputs of shape {self.input_shape}, got {x.shape[1:]}")
            np.copyto(bound.input, x, casting="same_kind")
        for run, source, y in bound.forward:
            if self._around is None:
                run(source, y, training)
            else:
                self._around(self._owners[id(run.__self__)], "forward", partial(run, source, y, training))
        if self.head is not None:
            self.head.forward(bound.z, bound.output, training)
        return bound.output.copy() if copy else bound.output

    def loss(self, z: Array, target: Array, weight: Array | None = None) -> float:
        """The mean loss of outputs z (what `forward` returned) against targets, penalties included. Where the network
        ends in unscale, that of both standardized, which training makes smaller; `told` is that in their own unit.

        `weight` (N,) weighs the examples, (N, T) their steps. Steps that a mask leaves out do not count.
        L1/L2: Σ l1·|w| + l2·w² over the layers that ask for it.
        """
        bound, target = self.bind(len(z)), np.asanyarray(target)
        assert self.loss_function is not None, "this network was built without a loss"
        if z is not bound.output and not np.array_equal(z, bound.output):
            np.copyto(bound.output, z)
            if self.head is not None:
                self.head.inverse(bound.output, bound.z)
        self.counted = len(z) if bound.mask is None else int(np.count_nonzero(bound.mask))
        if bound.mask is not None:
            weight = _masked_weight(bound.mask, self.counted, weight, bound.step_weight)
        self._weight = weight
        self._compared = (bound.z, bound.output, target)
        penalty = self.penalty() if self.wiring.penalties or self.adders else 0.0
        value = self.loss_function.forward(*self._compared, weight)
        self.told = value + penalty
        if self.unit is None:
            return self.told
        told = self.loss_function.scratch
        y = self.unit.scaled(bound.output, told("scaled output", bound.output.shape, self.dtype))
        t = self.unit.scaled(target.reshape(y.shape), told("scaled target", y.shape, self.dtype))
        self._compared = (y, y, t)
        return self.loss_function.forward(*self._compared, weight) + penalty

    def told_each(self, target: Array) -> Array | None:
        """The loss of every example of the last batch alone (N,), penalties included and in the unit of the targets, so
        that its mean is `told`; None with a mask, or where the loss is no mean over examples."""
        bound, target, weight = self._bound, np.asanyarray(target), self._weight
        if bound is None or bound.mask is not None or self.loss_function is None:
            return None
        penalty = self.penalty() if self.wiring.penalties or self.adders else 0.0
        per_example = np.empty(len(target))
        for i in range(len(target)):
            one = slice(i, i + 1)
            own = None if weight is None else weight[one]
            per_example[i] = self.loss_function.forward(bound.z[one], bound.output[one], target[one], own) + penalty
        return per_example if np.isclose(per_example.mean(), self.told, rtol=1e-3, atol=1e-6) else None

    @property
    def compared(self) -> tuple[Array, Array]:
        """The outputs and targets that the last loss compared: both standardized where the network ends in unscale."""
        return self._compared[1], self._compared[2]

    def aim(self, target: Array) -> None:
        """Let these be the targets of the last loss, which was computed by what recorded it; no mask, no weights."""
        bound = self.bind(len(target))
        self._compared, self._weight, self.counted = (bound.z, bound.output, target), None, len(target)

    @property
    def output_mask(self) -> Array | None:
        """Which steps of the last output (N, T, …) count, as (N, T) booleans; None where all do. Metrics of
        padded sequences are those of `y[mask]` and `target[mask]`."""
        return self._bound.mask if self._bound is not None else None

    def penalty(self) -> float:
        """The part of the loss that outputs and targets have none in: L1/L2, and what layers add."""
        total = sum((layer.own_loss for layer in self.adders), 0.0)
        for w, _, l1, l2 in self.wiring.penalties:
            total += l1 * np.abs(w).sum().item() + l2 * self.kernels.inner(w.reshape(-1), w.reshape(-1))
        return total

    def backward(self) -> None:
        """Back-propagate the last loss: fills `gradients`, overwriting what was there."""
        bound = self.start_backward()
        for run, x, y, dy, dx, sums in bound.backward:
            if self._around is None:
                run(x, y, dy, dx)
            else:
                self._around(self._owners[id(run.__self__)], "backward", partial(run, x, y, dy, dx))
            self.add_gradients(sums)
        self.add_penalties()

    def add_gradients(self, sums: Sequence[tuple[Array, Array]]) -> None:
        """Add what was written beside a gradient to it."""
        for part, total in sums:
            self.kernels.add(total, part, total)

    def add_penalties(self) -> None:
        """The gradient of the L1/L2 part of the loss."""
        for w, gradient, l1, l2 in self.wiring.penalties:
            if self.share == 1:
                gradient += l1 * np.sign(w) + 2 * l2 * w
            else:
                gradient += self.share * (l1 * np.sign(w) + 2 * l2 * w)

    def start_backward(self) -> Bindings:
        """Write the gradient of the last loss with respect to the output, from where the layers go on."""
        bound = self._bound
        assert bound is not None and self.loss_function is not None, "call forward and loss first"
        self.loss_function.backward(*self._compared, self._weight, bound.dz)
        if self.unit is not None:
            np.divide(bound.dz, self.unit.std, out=bound.dz)
        if self.share != 1:
            np.multiply(bound.dz, self.share, out=bound.dz)
        return bound

    @property
    def output(self) -> Array:
        """What the last `forward` returned."""
        assert self._bound is not None, "call forward first"
        return self._bound.output

    @property
    def logits(self) -> Array:
        """What the last `forward` gave the fused sigmoid or softmax; without one the output itself."""
        assert self._bound is not None, "call forward first"
        return self._bound.z

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
        places = sum(8 * len(table.w) for table in store.followed)
        return store.values.nbytes + store.gradients.nbytes + store.state.nbytes + places + self.plan.bytes


def _masked_weight(mask: Array, counted: int, weight: Array | None, out: Array) -> Array:
    """Weights (N, T) that turn a mean over all steps into one over those that count."""
    np.copyto(out, mask)
    if weight is not None:
        np.multiply(out, weight.reshape(len(mask), -1), out=out)
    return np.multiply(out, mask.size / max(counted, 1), out=out)
