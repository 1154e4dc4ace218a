"""What a trace holds: one step of training in numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.losses.base import Term
from backprop_cli.insight.trace.lines import Line

READABLE = 12  # units of a layer up to which every sum is written out


@dataclass
class Gradient:
    """One number of a parameter: its value, gradient, central difference and new value."""

    index: tuple[int, ...]
    value: float
    gradient: float
    numeric: float
    error: float
    updated: float


@dataclass
class TracedParameter:
    """A parameter of a layer with as many of its gradients as are shown."""

    name: str
    shape: tuple[int, ...]
    frozen: bool
    gradients: list[Gradient] = field(default_factory=list)


@dataclass
class Written:
    """The sums of a layer, and what they end in: y, and by name the gradients of x and of parameters, if there are any.
    They are shown only where the engine has the same numbers."""

    forward: list[Line]
    backward: list[Line]
    y: Array
    gradients: dict[str, Array] | None


@dataclass
class LayerStep:
    """One layer's part of the step."""

    name: str
    type: str
    symbols: list[str]
    x: list[Array]
    y: Array
    z: Array | None
    upstream: Array | None  # dL/dy before the activation's derivative
    delta: Array | None
    dx: list[Array | None]
    inputs: list[str]  # the layers that x comes from; `input` is the data
    forward: list[Line] = field(default_factory=list)  # sums with numbers
    backward: list[Line] = field(default_factory=list)
    parameters: list[TracedParameter] = field(default_factory=list)


@dataclass
class Trace:
    """A whole step: the example, the layers in order, the loss before and after."""

    config: str
    split: str
    sample: int
    x: Array
    target: Array
    steps: list[LayerStep]
    output: Array
    loss_name: str
    loss_symbols: list[str]
    compared: tuple[
        Array, Array
    ]  # the output and target that the loss is of: standardized where unscale ends the network
    loss_terms: list[Term]  # what each output adds to it, for losses that say so
    loss: float
    loss_after: float
    fused: str | None
    optimizer_name: str
    optimizer_symbols: list[str]
    learning_rate: float
    epsilon: float | None  # the optimizer's, if it has one
    note: str | None = None  # what one example alone cannot show

    @property
    def worst(self) -> float:
        """The largest relative error of any gradient shown."""
        return max((g.error for step in self.steps for p in step.parameters for g in p.gradients), default=0.0)
