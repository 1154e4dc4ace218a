"""Which layer of a file belongs to which layer of a network, and whether everything fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.graph import Network
from backprop_cli.engine.layer import Layer
from backprop_cli.errors import did_you_mean, suggest
from backprop_cli.model.weights import flat, keras, torch
from backprop_cli.model.weights.files import Foreign
from backprop_cli.model.weights.modules import Module, modules

Arrays = dict[str, Array]


@dataclass
class Target:
    """A layer of the network that has parameters or running statistics, and the arrays to be filled."""

    name: str
    layer: Layer
    wanted: Arrays
    named: bool  # by a person: names that bp and others count out agree by chance only
    order: Array | None = None  # of its input row, where PyTorch has another (`flat`)


@dataclass
class Fit:
    """What was found: by target, the module and its arrays in bp's layout; and what is wrong, a line each."""

    pairs: list[tuple[Target, Module, Arrays]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def targets(network: Network, whole: bool) -> list[Target]:
    """The layers that own parameters, in the order in which they run; those inside others by themselves, unless
    `whole`."""
    views = {**network.parameters, **network.states}
    orders = flat.orders(network)
    layers = []
    for node in network.nodes:
        both = whole or node.layer.type_name == "bidirectional"
        for prefix, part in [("", node.layer)] if both else node.layer.walk():
            inside = part.walk(prefix) if both else [(prefix, part)]
            names = [name for p, component in inside for name in _arrays(p, component)]
            if names and node.layer.shared is None:
                wanted = {name.removeprefix(prefix): views[f"{node.name}.{name}"] for name in names}
                name = f"{node.name}.{prefix}".rstrip(".")
                order = None if prefix else orders.get(node.name)
                layers.append(Target(name, part, wanted, node.layer.name is not None, order))
    return layers


def fit(
    network: Network,
    foreign: Foreign,
    *,
    names: Mapping[str, str],
    match: Sequence[str],
    skip: Sequence[str],
    strict: bool,
) -> Fit:
    """Pair the layers of a file with those of a network: as `names` says ({theirs: ours}), then those of one name
    (in files of other programs only where a person named the layer here), then, in files of other programs, the first
    that fits in kind and shapes.

    `match` and `skip` are patterns for the names of layers and arrays: only these, not these. Under `strict` every
    array of the network has to be found, every array of the file used, and every pattern has to name something.
    """
    ours, theirs = targets(network, foreign.kind == "bp"), modules(foreign)
    fitted = Fit(problems=[*_idle(ours, theirs, match, skip)] if strict else [])
    ours, theirs = _chosen(ours, theirs, match, skip)
    pairs = _named(ours, theirs, names, fitted)
    for target in ours:
        if target.named or foreign.kind == "bp":
            _pair(target, pairs, [module for module in theirs if target.name in (module.name, module.label)])
    for target in ours if foreign.kind != "bp" else ():
        _pair(target, pairs, _fitting(target, [module for module in theirs if module not in pairs.values()], foreign))
    unused = [module for module in theirs if module not in pairs.values()]
    for target in ours:
        _judge(target, pairs.get(target.name), foreign, unused, fitted, strict)
    for module in unused if strict and not match else ():
        shapes = ", ".join(f"{module.sources[key]} {array.shape}" for key, array in module.arrays.items())
        fitted.problems.append(
            f"no layer takes {shapes} of the file; skip: [{module.label or module.name!r}] leaves it out, "
            "strict: false all such"
        )
    return fitted


def _idle(ours: Sequence[Target], theirs: Sequence[Module], match: Sequence[str], skip: Sequence[str]) -> Iterator[str]:
    """Patterns that name nothing, and would leave out less, or load less, than was meant."""
    here = {spelled for layer in ours for inner in layer.wanted for spelled in (layer.name, f"{layer.name}.{inner}")}
    there = {
        spelled
        for layer in theirs
        for name in (layer.name, layer.label)
        for inner in layer.arrays
        for spelled in ((name, f"{name}.{inner}") if name else ())
    }
    for key, patterns, names, whose in (
        ("match", match, here, "the network"),
        ("skip", skip, here | there, "the network and the file"),
    ):
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                hint = did_you_mean(suggest(pattern, names))
                yield f"{key}: {pattern!r} names no layer or array of {whose}{hint}"


def _chosen(
    ours: list[Target], theirs: list[Module], match: Sequence[str], skip: Sequence[str]
) -> tuple[list[Target], list[Module]]:
    """Without what the patterns leave out: a layer by its name, or single arrays of it."""

    def hit(patterns: Sequence[str], owner: Sequence[str | None], inner: str) -> bool:
        known = [spelled for name in owner if name for spelled in (name, f"{name}.{inner}")]
        return any(fnmatchcase(spelled, pattern) for spelled in known for pattern in patterns)

    for target in ours:
        target.wanted = {
            name: view
            for name, view in target.wanted.items()
            if (not match or hit(match, [target.name], name)) and not hit(skip, [target.name], name)
        }
    for module in theirs if skip else ():
        names = [module.name, module.label]
        module.arrays = {name: array for name, array in module.arrays.items() if not hit(skip, names, name)}
    return [target for target in ours if target.wanted], [module for module in theirs if module.arrays]


def _named(ours: list[Target], theirs: list[Module], names: Mapping[str, str], fitted: Fit) -> dict[str, Module]:
    pairs: dict[str, Module] = {}
    known = {target.name for target in ours}
    by_name = {name: module for module in theirs for name in (module.label, module.name) if name}
    for their, our in names.items():
        module = by_name.get(their)
        for name, among, whose in ((their, by_name.keys(), "the file"), (our, known, "the network")):
            if name not in among:
                near = suggest(name, among)
                fitted.problems.append(
                    f"map: {whose} has no layer {name!r} with weights; it has {', '.join(sorted(among))}"
                    + did_you_mean(near)
                )
        if module is not None and our in known:
            pairs[our] = module
    return pairs


def _pair(target: Target, pairs: dict[str, Module], candidates: Sequence[Module]) -> None:
    if target.name not in pairs and candidates:
        pairs[target.name] = candidates[0]


def _fitting(target: Target, free: list[Module], foreign: Foreign) -> list[Module]:
    """The modules whose arrays have the shapes; else those of the kind, for their shapes to be complained of."""
    kinds = [(module, converted) for module in free if (converted := _converted(target, module, foreign)) is not None]
    exact = [module for module, arrays in kinds if _shapes(arrays) == _shapes(target.wanted)]
    return exact or [module for module, arrays in kinds if {*arrays} >= {*target.wanted}]


def _converted(target: Target, module: Module, foreign: Foreign) -> Arrays | None:
    """A module's arrays in bp's layout, by the names in the target; None if it is another kind of layer."""
    if foreign.kind == "bp":
        return dict(module.arrays)
    convert: Callable[[Layer, Arrays], Arrays] | None
    convert = (torch if foreign.kind == "torch" else keras).CONVERT.get(target.layer.type_name)
    try:
        if convert is None:
            return None
        converted = convert(target.layer, module.arrays)
    except (KeyError, ValueError, IndexError, TypeError):
        return None
    order = target.order if foreign.kind == "torch" or foreign.channels_first else None
    if order is not None:
        converted = {name: array[order] if len(array) == len(order) else array for name, array in converted.items()}
    return converted


def _judge(
    target: Target, module: Module | None, foreign: Foreign, unused: list[Module], fitted: Fit, strict: bool
) -> None:
    """Note a pair, or what is wrong with it."""
    shapes = ", ".join(f"{target.name}.{name} {view.shape}" for name, view in target.wanted.items())
    if module is None:
        if strict:
            near = suggest(target.name, [spare.label or spare.name for spare in unused])
            fitted.problems.append(
                f"nothing in the file fits {shapes}"
                + (f"; the nearest name is {near!r}" if near else "")
                + "; map: {their name: name here} pairs layers"
            )
        return
    converted = _converted(target, module, foreign)
    if converted is None:
        given = ", ".join(f"{module.sources[name]} {array.shape}" for name, array in module.arrays.items())
        fitted.problems.append(f"{given} of the file is no {target.layer.type_name} layer and cannot be {shapes}")
        return
    wrong = list(_differences(target, module, converted, strict))
    fitted.problems += wrong
    if not wrong:
        kept = {name: array for name, array in converted.items() if name in target.wanted}
        fitted.pairs.append((target, module, kept))


def _differences(target: Target, module: Module, converted: Arrays, strict: bool) -> Iterator[str]:
    name = module.label or module.name
    for key, view in target.wanted.items():
        if key not in converted:
            if strict:
                near = suggest(key, converted)
                hint = f"; the nearest name is {f'{name}.{near}'!r}" if near else ""
                yield f"{target.name}.{key} {view.shape} is missing in {name!r} of the file{hint}"
        elif converted[key].shape != view.shape:
            yield f"{target.name}.{key} has shape {view.shape} here, {converted[key].shape} in {name!r} of the file"
        elif not np.isfinite(converted[key]).all():
            yield f"{target.name}.{key}: {name!r} of the file holds values that are not finite"
    for key in converted:
        if strict and key not in target.wanted and not _left_out(target, key):
            yield f"{target.name} has no {key}, but {name!r} of the file has one, of shape {converted[key].shape}"


def _left_out(target: Target, name: str) -> bool:
    """Whether the layer has this array, but a pattern leaves it out."""
    return any(name in _arrays(prefix, part) for prefix, part in target.layer.walk())


def _arrays(prefix: str, layer: Layer) -> list[str]:
    """The names of what a layer itself has."""
    return [f"{prefix}{spec.name}" for spec in layer.needs.parameters] + [
        f"{prefix}{spec.name}" for spec in layer.needs.states
    ]


def _shapes(arrays: Mapping[str, Array]) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in arrays.items()}
