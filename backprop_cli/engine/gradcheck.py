"""Analytic against numeric gradients.

Each derivative is the central difference D(h) = (L(w + h) − L(w − h)) / 2h, extrapolated once,
(4 D(h/2) − D(h)) / 3, so that its error is O(h⁴) (Richardson 1911, doi:10.1098/rsta.1911.0009).
Where D(h) and D(h/2) disagree there is a kink (a ReLU, a maximum) between: h shrinks until it is
stepped around. Gradients are filled with NaN beforehand, so one that is never written shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.graph import Network
from backprop_cli.engine.written import unwritten

TOLERANCE = 1e-6
STEPS = (1e-3, 1e-4, 1e-5, 1e-6)  # h; a later one only where the one before met a kink
ELEMENTS = 64  # per array; larger ones are sampled


@dataclass(frozen=True)
class Check:
    """The outcome for one network: its worst relative error and where that is."""

    name: str
    case: str
    max_relative_error: float
    worst: str
    passed: bool


def check_network(
    network: Network,
    x: Array,
    target: Array,
    *,
    name: str,
    case: str = "",
    training: bool = True,
    weight: Array | None = None,
    tolerance: float = TOLERANCE,
    elements: int = ELEMENTS,
    layer: str | None = None,
) -> Check:
    """Compare every gradient of a float64 network (of its input too, if it was built with
    `input_gradient`), or those of one layer, with finite differences. Random layers draw the same numbers each time."""
    missing = unwritten(network, x, target, training=training)
    if missing is not None:
        return Check(name, case, float("inf"), missing, False)
    before = network.rng.bit_generator.state
    states = network.store.state.copy()

    def loss() -> float:
        network.rng.bit_generator.state = before
        network.store.state[...] = states
        return network.loss(network.forward(x, training, copy=False), target, weight)

    with network.store.written_whole():
        for gradient in network.gradients.values():
            gradient[...] = np.nan
        loss()
        network.backward()
        pairs: dict[str, tuple[Array, Array]] = {
            parameter: (values, network.gradients[parameter].copy())
            for parameter, values in network.parameters.items()
            if not network.store.entries[parameter].frozen  # the graph may skip these
            and layer in (None, parameter.partition(".")[0])
        }
    if network.input_gradient and layer is None:
        pairs["input"] = (x, network.input_gradients.copy())
    return compare(loss, pairs, name=name, case=case, tolerance=tolerance, elements=elements)


def compare(
    loss: Callable[[], float],
    pairs: Mapping[str, tuple[Array, Array]],
    *,
    name: str,
    case: str,
    tolerance: float = TOLERANCE,
    elements: int = ELEMENTS,
) -> Check:
    """Check analytic gradients against differences of `loss`; pairs maps names to (values, gradient)."""
    worst, error = "", 0.0
    for parameter, (values, gradient) in pairs.items():
        numeric = {index: derivative(loss, values, index) for index in _chosen(values.shape, elements)}
        largest = max((abs(value) for value in numeric.values()), default=0.0)
        for index, value in numeric.items():
            relative = relative_error(float(gradient[index]), value, floor=1e-3 * largest)
            if relative >= tolerance / 10:  # wrong, or a kink too slight to notice at first
                again = derivative(loss, values, index, STEPS[1:], agreement=0)
                relative = min(relative, relative_error(float(gradient[index]), again, floor=1e-3 * largest))
            if not relative <= error:  # NaN counts as worse than anything
                error, worst = (
                    relative,
                    f"{parameter}{list(index)}: analytic {gradient[index]:.9g}, numeric {value:.9g}",
                )
            if np.isnan(relative):
                return Check(name, case, float("inf"), worst, False)
    return Check(name, case, error, worst, error < tolerance)


def relative_error(analytic: float, numeric: float, floor: float = 0.0) -> float:
    """|a − n| / max(|a|, |n|, floor, 10⁻⁵); the floors keep out the noise of differences, some 10⁻¹², near 0."""
    return abs(analytic - numeric) / max(abs(analytic), abs(numeric), floor, 1e-5)


def derivative(
    loss: Callable[[], float],
    values: Array,
    index: tuple[int, ...],
    steps: Sequence[float] = STEPS,
    agreement: float = 1e-5,
) -> float:
    """dL/d values[index] by extrapolated central differences; `values` is left as it was.

    The first step whose D(h) and D(h/2) agree to within `agreement` is taken, else that where they agree best.
    """
    estimate, closest = 0.0, np.inf
    for h in steps:
        wide, narrow = _central(loss, values, index, h), _central(loss, values, index, h / 2)
        gap = abs(wide - narrow)
        if not gap >= closest:
            estimate, closest = (4 * narrow - wide) / 3, gap
        if gap <= agreement * (abs(narrow) + 1e-3):
            break
    return estimate


def _central(loss: Callable[[], float], values: Array, index: tuple[int, ...], h: float) -> float:
    kept = values[index]
    values[index] = kept + h
    up = loss()
    values[index] = kept - h
    down = loss()
    values[index] = kept
    return (up - down) / (2 * h)


def _chosen(shape: tuple[int, ...], elements: int) -> Iterator[tuple[int, ...]]:
    """Every index of a small array; of a large one a sample, the same each time."""
    size = int(np.prod(shape))
    flat = np.arange(size)
    if size > elements:
        flat = np.sort(np.random.default_rng(size).choice(size, elements, replace=False))
    for position in flat:
        yield tuple(int(i) for i in np.unravel_index(position, shape))
