"""Signs of a disease inside the network, each with the edits that might cure it.

A sign is a suspicion, not a verdict: `verdicts.py` tries the edits, and most verdicts are only given if one of
them helps. So the thresholds here may be generous; docs/doctor.md gives their reasons and what was measured.
"""

from __future__ import annotations

import math

import numpy as np

from backprop_cli.engine.graph import Node
from backprop_cli.insight.doctor.case import Case, Suspicion, broke, given, spiked
from backprop_cli.insight.doctor.edits import Edit, merged

LARGE_INPUT = 25.0  # root mean square of a feature; initialisers assume about 1
KERNEL_RANGE = (0.2, 3.0)  # of std·√fan_in; Glorot has about 1, He 1.41
VANISHED = 1e-3  # gradient/weight of a layer, as a share of the largest one's
DEAD = 0.5  # share of a layer's units; healthy ReLU networks here had up to 0.4
SATURATED = 0.6  # share of outputs in the flat parts
JUMP = 50.0  # the largest gradient of a recurrent layer, over its median; no proof by itself: an edit has to help


def unscaled_inputs(case: Case) -> Suspicion | None:
    """Features far larger than the unit variance that initialisers assume (LeCun et al. 1998, §4.3)."""
    x = case.evidence.x
    if x.dtype.kind in "iu" or not np.isfinite(x).all():
        return None
    readers = [node for node in case.evidence.network.nodes if "input" in node.inputs]
    if all(node.layer.normalizes for node in readers):
        return None
    size = np.sqrt(np.square(x, dtype=np.float64).mean(axis=0))
    if size.max() < LARGE_INPUT:
        return None
    sentence = f"unscaled inputs: a feature has a root mean square of {size.max():.3g}; first weights assume about 1"
    edit = Edit(("dataset.transforms+={type: standardize}",))
    return Suspicion("unscaled_inputs", sentence, [edit], evidence={"largest": size.max(), "smallest": size.min()})


def wrong_init(case: Case) -> Suspicion | None:
    """First weights that are all alike, or of a size at which signals die out or blow up (Glorot & Bengio 2010)."""
    kernels = case.kernels
    names = {node.name: case.evidence.kernels[node.name] for node in kernels}
    low, high = KERNEL_RANGE
    alike = [node for node in kernels[:-1] if names[node.name] == 0]
    off = alike or [node for node in kernels if not low <= names[node.name] <= high]
    if not off:
        return None
    worst = max(off, key=lambda node: abs(math.log10(max(names[node.name], 1e-12))))
    scale = names[worst.name]
    edit = merged(
        case.anatomy.option(node.name, "kernel_initializer", case.anatomy.initializer(node))
        for node in kernels
        if node in off or names[node.name] == 0
    )
    if alike:
        sentence = f"wrong initial weights: all units of {worst.name} start alike, and so learn alike"
    else:
        word = "small" if scale < low else "large"
        sentence = (
            f"wrong initial weights: those of {worst.name} are {scale:.2g}/√fan_in, too {word}; about 1/√fan_in "
            "(1.4 before a ReLU) keeps signals at their size"
        )
    return Suspicion("wrong_init", sentence, given(edit), worst.name, {"scale": scale}, certain=bool(alike))


def exploding_gradients(case: Case) -> Suspicion | None:
    """Gradients through time that grow without bound: a product of one factor a step (Pascanu et al. 2013)."""
    evidence = case.evidence
    if case.optimizer.clip_norm is not None or case.optimizer.clip_value is not None:
        return None
    walks = [node for node in evidence.network.nodes if any(part.walks for _, part in node.layer.walk())]
    if not walks:
        return None
    gradients = {node.name: evidence.series("gradient_norm").get(node.name, [0.0]) for node in walks}
    jumps = {name: max(norms) / max(float(np.median(norms)), 1e-30) for name, norms in gradients.items()}
    layer = max(jumps, key=lambda name: jumps[name])
    if not (evidence.error or evidence.stuck or spiked(evidence) or jumps[layer] > JUMP):
        return None
    sentence = f"exploding gradients: that of {layer} reached {jumps[layer]:.3g} times its usual norm" + broke(evidence)
    edits = [Edit(("optimizer.clip_norm=1.0",)), Edit(("optimizer.clip_norm=0.1",))]
    return Suspicion("exploding_gradients", sentence, edits, layer, {"jump": jumps[layer]}, best_of_all=True)


def dead_relu(case: Case) -> Suspicion | None:
    """Units whose ReLU is off for every example, so that no gradient reaches their weights (Maas et al. 2013)."""
    last = case.evidence.last
    dead = {name: measures["dead"] for name, measures in last.items() if measures.get("dead", 0) >= DEAD}
    if not dead:
        return None
    worst = max(dead, key=lambda name: dead[name])
    units = [case.anatomy.units[name] for name in dead]
    makers = [_maker(case, unit) for unit in units]
    zeros = merged(
        case.anatomy.option(unit.name, "bias_initializer", "zeros")
        for unit in makers
        if getattr(getattr(unit.layer, "bias_initializer", None), "type_name", "zeros") != "zeros"
    )
    leaky = merged(case.anatomy.activation(unit, "leaky_relu") for unit in units)
    sentence = f"dead ReLUs: {dead[worst]:.0%} of the units of {worst} are off for every example and cannot learn"
    return Suspicion("dead_relu", sentence, given(zeros, leaky), worst, {"dead": dead}, certain=dead[worst] == 1)


def vanishing_gradients(case: Case) -> Suspicion | None:
    """Gradients that shrink on their way down (Hochreiter 1991; Bengio et al. 1994)."""
    ratios = {
        name: max(ratios[0], float(np.median(ratios)))
        for name, ratios in case.evidence.series("gradient_ratio").items()
    }
    kernels = case.kernels
    if len(kernels) < 3 or any(measures.get("dead", 0) > DEAD for measures in case.evidence.first.values()):
        return None
    largest = max(ratios[node.name] for node in kernels)
    low = [node for node in kernels if ratios[node.name] < VANISHED * largest]
    if not low:
        return None
    top = low[-1]
    smallest = min(ratios[node.name] for node in low)
    squashing = [
        node
        for node in case.anatomy.network.nodes[:-1]
        if case.evidence.first.get(node.name, {}).keys() & {"saturated"}
    ]
    ends = {node.name: case.anatomy.following(node) for node in kernels[:-1]}
    before = [node for node in kernels[:-1] if (end := ends[node.name]) is not None and end.saturates]
    relu = [
        *(case.anatomy.activation(node, "relu") for node in squashing),
        *(case.anatomy.option(node.name, "kernel_initializer", "he_normal") for node in before),
    ]
    slower = f"optimizer.learning_rate={case.optimizer.learning_rate / 10:.3g}"  # its gradients are so much larger
    edits = given(merged(relu), merged([*relu, [slower]])) if merged(relu).set else []
    sentence = (
        f"vanishing gradients from {top.name} down: gradient/weight falls to {smallest:.0e}, "
        f"where the largest layer has {largest:.1g}"
    )
    numbers = {"ratio": smallest, "largest": largest}
    certain = case.evidence.stuck
    return Suspicion("vanishing_gradients", sentence, edits, top.name, numbers, certain, best_of_all=True)


def saturation(case: Case) -> Suspicion | None:
    """Sigmoids or tanhs in their flat parts, where the slope is nearly zero."""
    flat = {
        name: measures["saturated"]
        for name, measures in case.evidence.last.items()
        if measures.get("saturated", 0) > SATURATED
    }
    if not flat or not case.evidence.stuck:
        return None
    worst = max(flat, key=lambda name: flat[name])
    edit = merged(case.anatomy.activation(case.anatomy.units[name], "relu") for name in flat)
    sentence = f"saturation: {flat[worst]:.0%} of the outputs of {worst} lie where its slope is nearly zero"
    return Suspicion("saturation", sentence, given(edit), worst, {"saturated": flat})


def no_gradient(case: Case) -> Suspicion | None:
    """A layer whose gradient was exactly 0 at every step looked at: its weights stay as they were made."""
    evidence = case.evidence
    if not any(evidence.losses):
        return None  # nothing is wrong, so nothing is to be changed
    silent = [name for name, norms in evidence.series("gradient_norm").items() if not any(norms)]
    learning = [node.name for node in evidence.network.nodes if node.name in silent and node.layer.frozen is not True]
    if not learning or dead_relu(case) or saturation(case):
        return None
    ratios = evidence.typical("gradient_ratio")
    names = [node.name for node in evidence.network.nodes if node.name in ratios]
    behind = ratios.get(next(iter(names[names.index(learning[-1]) + 1 :]), ""), 0.0)
    if 0 < behind < VANISHED * max(ratios.values()):
        return None  # it shrank layer by layer until nothing was left
    named = ", ".join(learning[:3]) + (f" and {len(learning) - 3} more" if len(learning) > 3 else "")
    sentence = (
        f"no gradient: that of {named} was exactly 0 at every step looked at, so nothing there is learnt; "
        f"a layer behind {learning[-1]} lets none through"
    )
    return Suspicion("no_gradient", sentence, [], learning[-1], {"layers": learning}, certain=True)


def _maker(case: Case, unit: Node) -> Node:
    """The layer whose kernel feeds a ReLU that is a layer of its own."""
    while not hasattr(unit.layer, "bias_initializer") and unit.inputs[0] in case.anatomy.units:
        unit = case.anatomy.units[unit.inputs[0]]
    return unit
