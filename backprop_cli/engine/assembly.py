"""From nodes to a network that can run: shapes, the fused end, parameters, and which nodes need a gradient.

The steps follow each other in `Network.__init__`; each raises BuildError with the name of the node.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Activation, Layer
from backprop_cli.engine.losses.base import Loss
from backprop_cli.engine.masks import Cells, Joined
from backprop_cli.engine.node import INPUT, Node
from backprop_cli.engine.parameters import Parameter, ParameterStore
from backprop_cli.engine.weight_masks import check_mask, kernel_mask
from backprop_cli.errors import BuildError, expected

Prepare = Callable[[Layer], None]  # clears what an earlier build asked for, lends what the network shares


def build_shapes(nodes: Sequence[Node], input_shape: Shape, integers: bool, prepare: Prepare) -> None:
    """Build every layer on the shapes before it. `integers`: the data are token ids."""
    by_name = {node.name: node for node in nodes}
    for node in nodes:
        prepare(node.layer)
        masks = [None if name == INPUT else by_name[name].mask for name in node.inputs]
        for _, part in node.layer.walk():
            part.masked = [mask is not None for mask in masks]
        node.input_shapes = tuple(input_shape if name == INPUT else by_name[name].shape for name in node.inputs)
        if len(node.inputs) > 1 and not node.layer.merges:
            raise BuildError(f"a {node.layer.type_name} layer takes one input, got {len(node.inputs)}", node.name)
        if integers and INPUT in node.inputs and not node.layer.integer_input:
            raise BuildError(
                f"{node.layer.type_name} works on real numbers, but the data are integers (token ids); "
                "put an embedding layer first, or a one_hot transform on the data",
                node.name,
            )
        try:
            node.shape = tuple(int(size) for size in node.layer.build(*node.input_shapes))
        except BuildError as error:
            raise BuildError(error.message, node.name) from None
        node.mask = _mask(node, masks)
        for name in node.inputs:
            if name != INPUT:
                by_name[name].consumers += 1
    loose = [node.name for node in nodes[:-1] if node.consumers == 0]
    if loose:
        raise BuildError(
            f"nothing reads the output of {', '.join(loose)}; the last layer, {nodes[-1].name}, "
            "is the network's output, so every other one must feed a layer",
            loose[0],
        )


def _mask(node: Node, masks: Sequence[str | None]) -> str | None:
    """The node that writes the mask of this one's steps. A mask goes on for as long as the steps are the same ones."""
    layer = node.layer
    if any(spec.name == "made_mask" for spec in layer.needs.workspaces):
        return node.name
    if isinstance(layer.mask_rule, Cells):
        return node.name if masks[0] else None
    if any(masks) and (isinstance(layer.mask_rule, Joined) or (layer.mask_rule is not None and len(set(masks)) > 1)):
        return node.name
    kept = layer.passes_mask and len(node.shape) > 1 and node.shape[0] == node.input_shapes[0][0]
    return masks[0] if kept else None


def take_unit(nodes: Sequence[Node], loss: Loss | None) -> Any:
    """The last layer, if it gives outputs in the unit of the targets; else None. Raises BuildError where it cannot."""
    unit = next((node for node in nodes if node.layer.in_unit), None)
    if unit is None:
        return None
    name = unit.layer.type_name
    if unit is not nodes[-1]:
        raise BuildError(f"{name} gives the outputs in the unit of the targets; make it the last layer", unit.name)
    everywhere = (-math.inf, math.inf)
    if loss is not None and (loss.answers != "values" or {loss.target_range, loss.output_range} != {everywhere}):
        raise BuildError(
            f"{name} is for values of any size, and {loss.type_name} is not; leave it out, or use mse, mae or huber",
            unit.name,
        )
    return unit.layer


def take_head(nodes: list[Node], loss: Loss | None, prepare: Prepare) -> Activation | None:
    """Fuse a final softmax or sigmoid with its cross-entropy: the last node then ends at z, and the
    loss's gradient is (p − y)/N, which no overflow of exp can touch. The activation taken off, or None."""
    last = nodes[-1]
    inner = getattr(last.layer, "activation", None)
    head = inner if isinstance(inner, Activation) else last.layer
    if loss is None or head.type_name not in loss.fuses:
        return None
    if head is last.layer:
        if len(nodes) == 1 or next(node for node in nodes if node.name == last.inputs[0]).consumers > 1:
            return None
        nodes.pop()
        nodes[-1].consumers = 0
    else:
        masked = last.layer.masked
        last.layer = replace(last.layer, activation=None)  # type: ignore[call-arg]  # a field of its own
        prepare(last.layer)
        last.layer.masked = masked
        last.layer.build(*last.input_shapes)
    assert isinstance(head, Activation)
    prepare(head)
    head.build(nodes[-1].shape)
    return head


def allocate(nodes: Sequence[Node], dtype: Any, most: int | None = None) -> ParameterStore:
    """The flat vectors for all that the layers asked for, in the order of the nodes.

    `most`: the bytes that a file has for them; a network that needs more is refused before memory is taken.
    """
    entries: list[Parameter] = []
    states: dict[str, tuple[Shape, float]] = {}
    by_name = {node.name: node for node in nodes}
    for node in nodes:
        frozen = node.layer.frozen
        _check_frozen(node)
        if node.layer.shared is not None:
            _check_owner(node, by_name)
            continue
        if node.layer.weight_mask is not None:
            check_mask(node)
        for prefix, part in node.layer.walk():
            for spec in part.needs.parameters:
                still = frozen if isinstance(frozen, bool) else f"{prefix}{spec.name}" in frozen
                name = f"{node.name}.{prefix}{spec.name}"
                constraint = node.layer.constraint if spec.decay else None
                mask = kernel_mask(node, spec.shape) if spec.decay and not still else None
                entries.append(Parameter(name, spec.shape, spec.initializer, spec.decay, still, constraint, mask))
            for state in part.needs.states:
                states[f"{node.name}.{prefix}{state.name}"] = (state.shape, state.value)
    shapes = [*(entry.shape for entry in entries), *(shape for shape, _ in states.values())]
    needed = sum(math.prod(shape) for shape in shapes) * np.dtype(dtype).itemsize
    if most is not None and needed > most:
        raise BuildError(f"its parameters need {needed:,} bytes, the file has {most:,}")
    return ParameterStore(entries, states, dtype)


def _check_frozen(node: Node) -> None:
    own = [f"{prefix}{spec.name}" for prefix, part in node.layer.walk() for spec in part.needs.parameters]
    for name in [] if isinstance(node.layer.frozen, bool) else node.layer.frozen:
        if name not in own:
            raise BuildError(f"frozen names {name!r}; {expected(name, own)}", node.name)


def _check_owner(node: Node, by_name: dict[str, Node]) -> None:
    """Whether the layer that a node shares its parameters with is there and of its kind."""
    shared = str(node.layer.shared)
    owner = by_name.get(shared)
    if owner is None or owner.layer.shared is not None:
        owners = [name for name, other in by_name.items() if other.layer.shared is None]
        raise BuildError(f"shared: there is no layer {shared!r}; {expected(shared, owners)}", node.name)
    if type(owner.layer) is not type(node.layer):
        raise BuildError(
            f"a {node.layer.type_name} layer cannot share what {shared} learns: "
            f"that is a {owner.layer.type_name} layer; both must be of one type",
            node.name,
        )


@dataclass
class Wiring:
    """What binding found: (w, dw, l1, l2) of penalised parameters, and by node the gradients that were
    written beside the one they belong to, as (beside, total)."""

    penalties: list[tuple[Array, Array, float, float]] = field(default_factory=list)
    shared_sums: dict[str, list[tuple[Array, Array]]] = field(default_factory=dict)


def bind(nodes: Sequence[Node], store: ParameterStore) -> Wiring:
    """Give every layer its views. Of nodes that share parameters the last writes the gradient; the
    others write beside it, and the graph adds."""
    wiring = Wiring()
    last_user = {node.layer.shared or node.name: node.name for node in nodes}
    users = Counter(node.layer.shared or node.name for node in nodes)
    for node in nodes:
        layer, owner = node.layer, node.layer.shared or node.name
        for prefix, part in layer.walk():
            for spec in part.needs.parameters:
                name = f"{owner}.{prefix}{spec.name}"
                values = store.parameters.get(name)
                if values is None or values.shape != spec.shape:
                    there = values.shape if values is not None else None
                    raise BuildError(
                        f"cannot share {name}: here it would have shape {spec.shape}, there it has {there}", node.name
                    )
                total = gradient = store.gradient_views[name]
                if last_user[owner] != node.name:
                    gradient = np.zeros_like(total)
                    wiring.shared_sums.setdefault(node.name, []).append((gradient, total))
                setattr(part, spec.name, values)
                setattr(part, f"d{spec.name}", gradient)
                penalised = (layer.l1 or layer.l2) and spec.decay and not store.entries[name].frozen
                if spec.table:
                    touched = store.table(name, gradient, alone=users[owner] == 1 and not penalised)
                    setattr(part, f"touched_{spec.name}", touched)
                if penalised and owner == node.name:
                    wiring.penalties.append((values, total, layer.l1, layer.l2))
            for state in part.needs.states:
                setattr(part, state.name, store.states[f"{owner}.{prefix}{state.name}"])
    return wiring


def mark_gradients(nodes: Sequence[Node], store: ParameterStore, input_gradient: bool) -> None:
    """Note which nodes the backward pass must visit: those with something trained at or before them."""
    needs = {INPUT: input_gradient}
    for node in nodes:
        owner = node.layer.shared or node.name
        own = any(
            not store.entries[f"{owner}.{prefix}{spec.name}"].frozen
            for prefix, part in node.layer.walk()
            for spec in part.needs.parameters
        )
        node.needs_gradient = needs[node.name] = own or any(needs[name] for name in node.inputs)
