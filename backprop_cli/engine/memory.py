"""Where the graph keeps its arrays: planned once for the largest batch, views for shorter ones.

Outputs, gradients, masks and work space are in one file because they share the memory of one plan.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.assembly import Wiring
from backprop_cli.engine.layer import Activation, Layer
from backprop_cli.engine.needs import WorkspaceSpec
from backprop_cli.engine.node import INPUT, Node
from backprop_cli.engine.parameters import aligned_zeros
from backprop_cli.engine.sharing import shared
from backprop_cli.errors import BuildError, shortage

KEPT = 4  # batch sizes whose views are kept: the full one, the last of an epoch, those of evaluation


@dataclass
class Bindings:
    """Everything bound to one batch size n."""

    n: int
    input: Array
    z: Array  # what the last node wrote
    output: Array  # z, or the fused activation of z
    dz: Array
    dinput: Array | None
    values: dict[str, Array]  # y by node name
    deltas: dict[str, Array]  # dL/dy by node name; after backward, dL/dz where a layer has an activation
    forward: list[tuple[Any, Any, Array]]  # a layer's method, and what it is called with
    backward: list[tuple[Any, Any, Array, Array, Any, list[tuple[Array, Array]]]]
    workspaces: list[tuple[Any, str, Any]]  # what is set on each layer: its memory, and its inputs' masks
    masks: dict[str, Array | None]  # which steps of y count, by node name; None where all do
    mask: Array | None  # that of the output
    step_weight: Array  # what each of them then counts in the loss


class Built(Protocol):
    """What a plan has to know of a network."""

    nodes: list[Node]
    head: Activation | None
    wiring: Wiring
    input_shape: Shape
    dtype: np.dtype[Any]
    input_dtype: np.dtype[Any]
    input_gradient: bool
    observe: bool

    @property
    def output_shape(self) -> Shape: ...


HEAD = "head:"  # what a fused activation writes; names of layers hold no colon


class MemoryPlan:
    """Decides which arrays exist, allocates them, and hands out views for a batch of n."""

    def __init__(self, network: Built) -> None:
        self.network = network
        self.capacity = 0
        self._full: dict[str, Array] = {}
        self._sizes: dict[str, tuple[Shape, np.dtype[Any]]] = {}
        self._bindings: dict[int, Bindings] = {}
        self._arena = np.zeros(0, np.uint8)
        self._values, self._deltas = shared(network.nodes, network.input_gradient, network.observe)

    @property
    def bytes(self) -> int:
        """The bytes of all arrays that `reserve` allocated, with the arena that temporary workspaces share."""
        return sum(array.nbytes for array in self._full.values()) + self._arena.nbytes

    def reserve(self, batch: int) -> bool:
        """Allocate for batches of up to `batch` examples; True if what was handed out before is stale now."""
        if batch <= self.capacity:
            return False
        network, self.capacity = self.network, batch
        self._full.clear()
        self._sizes.clear()
        self._bindings.clear()
        self._new(INPUT, network.input_shape, network.input_dtype)
        for node in network.nodes:
            if self._values[node.name] == node.name:
                self._new(node.name, node.shape, network.dtype)
            if self._deltas[node.name] == node.name and self._wanted(node):
                self._new(f"d:{node.name}", node.shape, network.dtype)
        for layer in self._layers():
            for part, spec in _asked(layer):
                if not spec.temporary:
                    shape = spec.shape if spec.per_sample else (-1, *spec.shape)
                    self._new(f"w:{id(part)}:{spec.name}", shape, spec.dtype or network.dtype)
        if network.input_gradient:
            self._new(f"d:{INPUT}", network.input_shape, network.dtype)
        if network.head is not None:
            self._new(HEAD, network.output_shape, network.dtype)
        self._check_size(batch)
        self._allocate()
        self._arena = aligned_zeros(self._arena_size(batch), np.uint8)
        return True

    def _check_size(self, batch: int) -> None:
        """Raise BuildError for more than the machine has, which names the node of the largest array."""
        sizes = {key: math.prod(shape) * dtype.itemsize for key, (shape, dtype) in self._sizes.items()}
        if lacking := shortage(sum(sizes.values()) + self._arena_size(batch)):
            by_key = {f"{mark}{node.name}": node.name for node in self.network.nodes for mark in ("", "d:")}
            by_key |= {f"w:{id(part)}": node.name for node in self.network.nodes for _, part in node.layer.walk()}
            largest = max(sizes, key=lambda key: sizes[key])
            node = by_key.get(largest) or by_key.get(largest.rpartition(":")[0])
            raise BuildError(f"with batches of {batch} the arrays of a step take too much: it {lacking}", node)

    def _wanted(self, node: Node) -> bool:
        return node.needs_gradient or node is self.network.nodes[-1]

    def _new(self, key: str, shape: tuple[int, ...], dtype: Any) -> None:
        """An array for `capacity` rows of this shape; a leading -1 means no rows at all."""
        full = shape[1:] if shape[:1] == (-1,) else (self.capacity, *shape)
        self._sizes[key] = full, np.dtype(dtype)

    def _allocate(self) -> None:
        """All arrays in one block: a large one gets large pages, which spares the processor many look-ups."""
        spans, end = {}, 0
        for key, (shape, dtype) in self._sizes.items():
            size = math.prod(shape) * dtype.itemsize
            spans[key] = slice(end, end + size)
            end += _rounded(size)
        block = aligned_zeros(end, np.uint8)
        self._full = {key: block[spans[key]].view(dtype).reshape(shape) for key, (shape, dtype) in self._sizes.items()}

    def _arena_size(self, n: int) -> int:
        return max(
            sum(_rounded(self._temporary_bytes(spec, n)) for _, spec in _asked(layer) if spec.temporary)
            for layer in self._layers()
        )

    def _layers(self) -> list[Layer]:
        layers = [node.layer for node in self.network.nodes]
        return layers if self.network.head is None else [*layers, self.network.head]

    def _temporary_bytes(self, spec: WorkspaceSpec, n: int) -> int:
        return math.prod(_shape(spec, n)) * np.dtype(spec.dtype or self.network.dtype).itemsize

    def bind(self, n: int) -> Bindings:
        """The views for n examples, with every layer's workspaces set to them."""
        self.reserve(n)
        bindings = self._bindings.pop(n, None) or self._make(n)
        self._bindings[n] = bindings  # last in, last out
        if len(self._bindings) > KEPT:
            del self._bindings[next(iter(self._bindings))]
        for part, name, view in bindings.workspaces:
            setattr(part, name, view)
        return bindings

    def _make(self, n: int) -> Bindings:
        network = self.network
        values = {INPUT: self._full[INPUT][:n]}
        deltas: dict[str, Array] = {}
        if network.input_gradient:
            deltas[INPUT] = self._full[f"d:{INPUT}"][:n]
        for node in network.nodes:
            owner = self._values[node.name]
            values[node.name] = self._full[owner][:n].reshape(n, *node.shape)
        for node in network.nodes:
            if self._wanted(node):
                owner = self._deltas[node.name]
                deltas[node.name] = self._full[f"d:{owner}"][:n].reshape(n, *node.shape)
        last = network.nodes[-1].name
        z = values[last]
        output = self._full[HEAD][:n] if network.head is not None else z
        workspaces = self._workspaces(n)
        masks, seen = self._masks(n, workspaces)
        mask = masks[last]
        forward: list[tuple[Any, Any, Array]] = []
        for node in network.nodes:
            written = masks[node.name]
            if node.mask == node.name and node.layer.mask_rule is not None and written is not None:
                forward.append((node.layer.write_mask, [masks[name] for name in node.inputs], written))
            if not node.layer.view:
                forward.append((node.layer.forward, self._source(node, values), values[node.name]))
        backward, dz = self._backward(n, values, deltas), deltas[last]
        return Bindings(
            n=n,
            input=values[INPUT],
            z=z,
            output=output,
            dz=dz,
            dinput=deltas.get(INPUT),
            values=values,
            deltas=deltas,
            forward=forward,
            backward=backward,
            workspaces=[*workspaces, *seen],
            masks=masks,
            mask=mask,
            step_weight=np.empty(mask.shape if mask is not None else 0, network.dtype),
        )

    @staticmethod
    def _source(node: Node, arrays: dict[str, Array]) -> Any:
        inputs = [arrays[name] for name in node.inputs]
        return inputs if node.layer.merges else inputs[0]

    def _backward(self, n: int, values: dict[str, Array], deltas: dict[str, Array]) -> list[Any]:
        """The calls of the backward pass, in order. The first to reach a node's dy writes it, later
        ones write beside it and are added."""
        network = self.network
        wanted = {node.name for node in network.nodes if node.needs_gradient}
        if network.input_gradient:
            wanted.add(INPUT)
        written: set[str] = set()
        calls = []
        for node in reversed(network.nodes):
            if not node.needs_gradient:
                continue
            sums = list(network.wiring.shared_sums.get(node.name, []))
            dxs: list[Array | None] = []
            aliased = self._deltas[node.name] != node.name
            for name in node.inputs:
                if name not in wanted:
                    dxs.append(None)
                elif name in written:
                    beside = np.zeros_like(deltas[name])
                    sums.append((beside, deltas[name]))
                    dxs.append(beside)
                else:
                    written.add(name)
                    dxs.append(deltas[name])
            if node.layer.view and aliased:
                continue
            dx = dxs if node.layer.merges else dxs[0]
            x, y, dy = self._source(node, values), values[node.name], deltas[node.name]
            calls.append((node.layer.backward, x, y, dy, dx, sums))
        return calls

    def _workspaces(self, n: int) -> list[tuple[Any, str, Array]]:
        spaces = []
        for layer in self._layers():
            offset = 0
            for part, spec in _asked(layer):
                shape = _shape(spec, n)
                if not spec.temporary:
                    full = self._full[f"w:{id(part)}:{spec.name}"]
                    spaces.append((part, spec.name, full[:n].reshape(shape) if spec.per_sample else full))
                    continue
                size = self._temporary_bytes(spec, n)
                raw = self._arena[offset : offset + size]
                spaces.append((part, spec.name, raw.view(spec.dtype or self.network.dtype).reshape(shape)))
                offset += _rounded(size)
        return spaces

    def _masks(
        self, n: int, workspaces: list[tuple[Any, str, Array]]
    ) -> tuple[dict[str, Array | None], list[tuple[Any, str, Any]]]:
        """The mask of every node's steps, and what each layer is to see of them."""
        made_masks = {id(part): view for part, name, view in workspaces if name == "made_mask"}
        masks: dict[str, Array | None] = {INPUT: None}
        seen: list[tuple[Any, str, Any]] = []
        for node in self.network.nodes:
            layer = node.layer
            if node.mask == node.name and layer.mask_rule is not None:
                masks[node.name] = made_here = np.ones((n, layer.mask_rule.steps), np.bool_)
                seen.append((layer, "made_mask", made_here))
            else:
                masks[node.name] = made_masks.get(id(layer)) if node.mask == node.name else masks[node.mask or INPUT]
            seen += [(part, "masks", [masks[name] for name in node.inputs]) for _, part in layer.walk()]
        return masks, seen


def _shape(spec: WorkspaceSpec, n: int) -> Shape:
    return (*spec.shape[: spec.axis], n, *spec.shape[spec.axis :]) if spec.per_sample else spec.shape


def _asked(layer: Layer) -> Iterator[tuple[Layer, WorkspaceSpec]]:
    """What a layer and those inside it asked for."""
    for _, part in layer.walk():
        for spec in part.needs.workspaces:
            yield part, spec


def _rounded(size: int) -> int:
    return -(-size // 64) * 64
