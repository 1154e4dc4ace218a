"""The base of every layer and activation.

The law: layers write, the graph adds. `forward(x, y, training)` writes y; `backward(x, y, dy, dx)`
writes the gradients of the layer's parameters and, unless it is None, dx. A layer allocates nothing
and accumulates nothing; `dy` is its to overwrite, so that δ = dL/dz can be formed in place. Options, flags and hooks
are in one file because together they are what the author of a layer has to know.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.masks import Rule
from backprop_cli.engine.needs import Needs, ParameterSpec, StateSpec, WorkspaceSpec
from backprop_cli.engine.ranks import Ranks
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Component, Doc, Registered, make, register, registered_fields, slot

PositiveInt = Annotated[int, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
Initializer = Annotated[Any, Registered("initializer")]
ActivationOption = Annotated[Any, Registered("activation")]
ConstraintOption = Annotated[Any, Registered("constraint")]


def layer(name: str, *aliases: str) -> Any:
    """Class decorator: registers a layer under `architecture: [{type: name, …}]`."""
    return register("layer", name, *aliases)


def activation(name: str, *aliases: str) -> Any:
    """Class decorator: registers an elementwise layer that also serves as an `activation:` option."""

    def decorate(cls: type) -> type:
        return register("activation", name, *aliases)(register("layer", name, *aliases)(cls))

    return decorate


@dataclass(kw_only=True)
class Layer(Component):
    """One node's function. The fields below are options that every layer takes."""

    name: Annotated[
        str | None, Doc("what `inputs`, `shared` and --set call it; by default its type and number, dense_1")
    ] = None
    inputs: Annotated[
        list[str] | None,
        Doc("names of the layers it takes its input from; `input` is the data; by default the layer before"),
    ] = None
    frozen: Annotated[bool | list[str], Doc("keep all its parameters, or those named in a list, as they are")] = False
    shared: Annotated[
        str | None, Doc("the name of a layer of the same options whose parameters this one uses, too")
    ] = None
    l1: Annotated[NonNegative, Doc("λ of the penalty λ Σ |w| on its kernels, added to the loss")] = 0.0
    l2: Annotated[NonNegative, Doc("λ of the penalty λ Σ w² on its kernels, added to the loss")] = 0.0
    constraint: Annotated[ConstraintOption | None, Doc("a projection of its kernels after every update")] = (
        None  # on the kernels, after every update
    )

    weight_mask: Annotated[
        list[Any] | Literal["nonzero"] | None,
        Doc(
            "which weights of its kernel there are: 0 and 1 in a list of the kernel's shape, or of one that stretches "
            "to it; `nonzero`: those not 0 at the start; the others stay 0"
        ),
    ] = None

    listed_under: ClassVar[str] = "Other"
    merges: ClassVar[bool] = False  # takes several inputs: x, dx and build's shapes are sequences
    view: ClassVar[bool] = False  # y is x in another shape; no data move
    in_place: ClassVar[bool] = False  # elementwise, and backward needs y only: y may be x, dx may be dy
    stochastic: ClassVar[bool] = False  # draws from self.rng
    integer_input: ClassVar[bool] = False  # takes token ids
    walks: ClassVar[bool] = False  # takes one step of x after the other, each with products of its own
    passes_mask: ClassVar[bool] = True  # step t of y comes from step t of x, if there are as many steps
    heeds_mask: ClassVar[bool] = False  # y has no steps, or not those of x, and comes from those that count
    keeps_linear: ClassVar[bool] = False  # bounds nothing: where an input has no activation, y has none either
    normalizes: ClassVar[bool] = False  # gives outputs of unit scale, whatever the scale of its inputs
    mixes_examples: ClassVar[bool] = False  # in training, y of an example depends on the others of its batch
    adds_loss: ClassVar[bool] = False  # has an `own_loss`
    in_unit: ClassVar[bool] = False  # the last layer, which turns standardized values into the targets' unit: Unscale
    acts_as: ClassVar[str | None] = None  # the activation whose range y has, where that is no option
    examples: ClassVar[list[dict[str, Any]]] = []  # {"options": {…}, "inputs": [shape, …]} for the gradient battery

    needs: Needs = slot()
    rng: np.random.Generator = slot()
    kernels: Any = slot()  # the namespace of kernels the network runs with
    ranks: Ranks = slot()  # the processes that the rows of a batch are shared among
    masked: Sequence[bool] = slot()  # whether there is a mask to each input; known when `build` is called
    masks: Sequence[Array | None] | None = slot()  # of each input: (n, T), True at steps that count
    made_mask: Array = slot()  # of y: see makes_mask and mask_rule
    mask_rule: Rule | None = slot()  # how the steps of y count, where they are not those of x; set in `build`
    least_rows: int | None = slot()  # what a batch of training needs; set in `build` where it is more than one
    remark: str | None = slot()  # what `bp check` and `bp train` are to say; set in `build`

    @property
    def ends_with(self) -> Activation | None:
        """The activation that makes y, `linear` where an option leaves it out; None where that is unknown."""
        named = (self.activation or "linear") if hasattr(self, "activation") else self.acts_as
        ends: Activation | None = make("activation", named)
        return ends

    @property
    def needs_output(self) -> bool:
        """Whether backward reads y; if not, the next layer may overwrite it."""
        return True

    @property
    def own_loss(self) -> float:
        """What the layer itself adds to the loss of the last batch, a mean over its examples; backward adds its slope
        to dx. For classes that say `adds_loss`."""
        return 0.0

    def build(self, *shapes: Shape) -> Shape:
        """Declare parameters and memory for inputs of these shapes (N left out); return y's shape.

        Raises BuildError where the shapes do not fit.
        """
        raise BuildError(f"{type(self).__name__} defines no build(self, *shapes) -> shape of y")

    def forward(self, x: Any, y: Array, training: bool) -> None:
        """Write y = f(x)."""
        raise BuildError(f"{type(self).__name__} defines no forward(self, x, y, training)")

    def backward(self, x: Any, y: Array, dy: Array, dx: Any) -> None:
        """Write dL/dW into self.dW, and dL/dx into dx unless it is None. dy may be overwritten."""
        raise BuildError(f"{type(self).__name__} defines no backward(self, x, y, dy, dx)")

    def onnx(self, graph: OnnxGraph, x: Any) -> str:
        """Add the operators that compute y from x (a name; names where the layer merges) in inference; the name of y.

        A layer without this method can be trained and used by bp, but not exported.
        """
        raise BuildError(f"{type(self).__name__} defines no onnx(self, graph, x)")

    def flops(self, *shapes: Shape) -> int:
        """Floating-point operations of one forward pass of one example (a multiply-add counts 2)."""
        return 0

    def at_once(self, batch: int) -> int:
        """How many of a batch's examples one of its matrix products takes in."""
        return batch

    def parameter(self, name: str, shape: Shape, initializer: Any, *, decay: bool = True, table: bool = False) -> None:
        """Ask for a trained array. `table`: its gradient is 0 but in rows that the batch has looked up, which the layer
        lists in self.touched_<name>."""
        self.needs.parameters.append(ParameterSpec(name, shape, make("initializer", initializer), decay, table))

    def state(self, name: str, shape: Shape, value: float = 0.0) -> None:
        """Ask for a non-trained array that is saved with the model."""
        self.needs.states.append(StateSpec(name, shape, value))

    def workspace(
        self,
        name: str,
        shape: Shape,
        dtype: Any = None,
        *,
        per_sample: bool = True,
        temporary: bool = False,
        axis: int = 0,
    ) -> None:
        """Ask for memory: self.<name> of shape (n, *shape), in the network's dtype unless given.

        `axis` puts n elsewhere: shape (T, H) with axis 1 gives (T, n, H), contiguous for every n.
        """
        self.needs.workspaces.append(WorkspaceSpec(name, shape, dtype, per_sample, temporary, axis))

    @property
    def mask(self) -> Array | None:
        """Which steps of x (N, T, …) count, as (N, T) booleans; None where all do.

        A layer that mixes steps (recurrent, attention, pooling over time) must heed it.
        """
        return self.masks[0] if self.masks else None

    @property
    def has_mask(self) -> bool:
        """Whether x comes with a mask; known when `build` is called."""
        return bool(self.masked and self.masked[0])

    def makes_mask(self, steps: int) -> None:
        """Ask for self.made_mask (n, steps): forward writes it, and the layers after this one have it as
        `self.mask`, as far as the steps are the same ones. The loss then counts only those steps."""
        self.workspace("made_mask", (steps,), np.bool_)

    def write_mask(self, masks: Sequence[Array | None], out: Array, training: bool) -> None:
        """Write the mask of y. The graph calls this before `forward`, where there is a rule and a mask."""
        assert self.mask_rule is not None, "only layers with a rule are asked"
        self.mask_rule.write(masks, out)

    def parts(self) -> dict[str, Layer]:
        """The layers inside this one (an activation option, a wrapped layer), by field name."""
        cls: Any = type(self)
        kinds = {name for name, marker in registered_fields(cls).items() if marker.kind in ("layer", "activation")}
        return {name: getattr(self, name) for name in sorted(kinds) if isinstance(getattr(self, name), Layer)}

    def walk(self, prefix: str = "") -> Iterator[tuple[str, Layer]]:
        """This layer and those inside it, each with the prefix of its parameters' names."""
        yield prefix, self
        for name, part in self.parts().items():
            yield from part.walk(f"{prefix}{name}.")


@dataclass(kw_only=True)
class Activation(Layer):
    """An elementwise (or row-wise) function. `in_place`: forward may get y = x. backward may get dx = dy.

    What it says of itself is what losses, the doctor and those who read outputs go by.
    """

    listed_under = "Activations"

    lowest: ClassVar[float] = -math.inf  # that y can be, or come near to
    highest: ClassVar[float] = math.inf
    shares_row: ClassVar[bool] = False  # each number depends on the others of its row, and is constant without any
    distribution: ClassVar[bool] = False  # the last axis of y sums to one
    takes_logits: ClassVar[bool] = False  # y are the probabilities that the logits x stand for
    initializer: ClassVar[str] = "glorot_uniform"  # that suits a kernel in front of it
    dies: ClassVar[bool] = False  # y and its slope are exactly 0 for half of all x: a unit can stop learning
    adds_bias: ClassVar[bool] = False  # max(0, z + b) and its gradient, for which kernels have one pass

    def flat(self, y: Array) -> Array | None:
        """Where y lies in parts in which the slope is below 4 % of its largest value; None where there are none."""
        return None

    @property
    def saturates(self) -> bool:
        """Whether there are parts in which it is flat."""
        return type(self).flat is not Activation.flat

    @property
    def ends_with(self) -> Activation | None:
        return self

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest number that y can be, or come near to."""
        return self.lowest, self.highest

    def build(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def inverse(self, y: Array, x: Array) -> None:
        """Write an x with f(x) = y; only those that a loss fuses need it."""
        raise NotImplementedError  # activations that no loss fuses have none

    def flops(self, *shapes: Shape) -> int:
        return int(np.prod(shapes[0]))
