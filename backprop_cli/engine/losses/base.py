"""The base of every loss: a number from outputs and targets, and its gradient."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.kernels import load
from backprop_cli.engine.layer import Activation, NonNegative
from backprop_cli.engine.reading import Scale
from backprop_cli.engine.scratch import Scratch
from backprop_cli.engine.targets import Targets
from backprop_cli.errors import BuildError
from backprop_cli.registry import Doc, register, slot


def loss(name: str, *aliases: str) -> Any:
    """Class decorator: registers a loss under its names."""
    return register("loss", name, *aliases)


class Term(NamedTuple):
    """A summand of the loss of one example: its formula in {y1}, {t1}, … and its value."""

    formula: str
    value: float


@dataclass(kw_only=True)
class Loss(Scratch):
    """L = mean over the examples (and steps, and outputs) of a batch.

    `forward` and `backward` get z and y: the same array, or, where the builder fused a final
    activation (one named in `fuses`), the logits z and the activated outputs y; `backward` then
    writes dL/dz. Without fusion z is y. `backward` follows a `forward` of the same arguments.

    `weight`, of shape (N,) or, for outputs with steps, (N, T), weighs the terms of the sum; the
    mean is still over their number, Σ w L / count, as in Keras. Steps that a mask leaves out do
    not count (the network weighs them 0, and the others up).
    """

    listed_under: ClassVar[str] = "Others"
    fuses: ClassVar[tuple[str, ...]] = ()
    targets: ClassVar[Literal["values", "classes", "either"]] = "values"
    answers: ClassVar[Literal["values", "labels", "classes"]] = "values"  # what outputs are: numbers, yes/no, or rivals
    output_range: ClassVar[tuple[float, float]] = (-math.inf, math.inf)  # where outputs must lie
    target_range: ClassVar[tuple[float, float]] = (-math.inf, math.inf)  # and targets
    meets_targets: ClassVar[bool] = True  # least where outputs equal targets, not where they point the same way
    ends_with: ClassVar[str] = "linear"  # the activation that suits it
    # {"options": {…}, "output": shape, "target": kind, "activation": name} for the gradient battery
    examples: ClassVar[list[dict[str, Any]]] = []

    kernels: Any = slot()  # the network's, once it has one
    labels: Sequence[str] = slot()  # the names of the class ids in the targets; empty where they have none

    def __post_init__(self) -> None:
        super().__post_init__()
        self.kernels = load("numpy")
        self.labels = ()

    @property
    def scale(self) -> Scale | None:
        """Whether outputs are probabilities, logits or scores of either sign; None where the last activation tells."""
        return None

    def check(self, output: Shape, target: Shape, target_dtype: np.dtype[Any], classes: int | None) -> None:
        """Raise BuildError where outputs of this shape cannot meet targets of that (N left out)."""
        if self.targets == "classes" and target_dtype.kind not in "iub":
            raise BuildError(
                f"{self.type_name} takes integer class ids, got {target_dtype} targets; "
                "use mean_squared_error for values, or categorical_crossentropy for one-hot rows"
            )
        if self.targets == "values":
            if classes is not None and target_dtype.kind in "iub":
                raise BuildError(
                    f"{self.type_name} takes real-valued targets, got integer class ids of {classes} classes; "
                    "use categorical_crossentropy, or add the transform {type: one_hot}; "
                    "if they are values of a file, set dataset.task: regression"
                )
            if output != target and (*output,) != (*target, 1):
                raise BuildError(
                    f"{self.type_name} compares outputs of shape {output} with targets of shape {target}; "
                    "they must be equal"
                )

    def check_targets(self, targets: Targets, output: Shape) -> None:
        """Raise BuildError where these targets make no sense for outputs of this shape (N left out)."""
        low, high = self.target_range
        if targets.low < low or targets.high > high:
            raise BuildError(
                f"{self.type_name} takes targets from {low:g} to {high:g}, got some from {targets.low:g} to "
                f"{targets.high:g}; use mean_squared_error for values"
            )

    def check_activation(self, last: Activation | None) -> None:
        """Raise BuildError where outputs of this activation make no sense here; None is unknown."""
        if last is None:
            return
        (low, high), (least, most) = self.output_range, last.range
        if least < low or most > high:
            raise BuildError(
                f"{self.type_name} takes outputs from {low:g} to {high:g}, got outputs of {last.type_name}, which "
                f"go from {least:g} to {most:g}; end with activation: {self.ends_with}"
            )

    @property
    def outputs(self) -> tuple[str, ...]:
        """What the numbers of y are called, where they are outputs of several kinds; see the loss combined."""
        return ()

    def learn(self, y: Array) -> None:
        """Settle what an option leaves to the targets (N, …) of the training split. Raises BuildError."""

    def terms(self, y: Array, target: Array) -> list[Term]:
        """The loss of one example in its summands, for `bp trace`; empty where they would be no sum one can follow."""
        return []

    def chance(self, target: Array) -> float | None:
        """The loss of the best answer that is the same for every example of these targets; None where that is not
        known. The doctor holds a training against it."""
        return None

    def forward(self, z: Array, y: Array, target: Array, weight: Array | None) -> float:
        raise NotImplementedError  # every loss has its own

    def backward(self, z: Array, y: Array, target: Array, weight: Array | None, dz: Array) -> None:
        """Write dL/dz (dL/dy where nothing is fused) into dz."""
        raise NotImplementedError  # every loss has its own


@dataclass(kw_only=True)
class Elementwise(Loss):
    """L = 1/(N K) Σ f(y, t), the mean over every output of a function of it and its target."""

    def values(self, y: Array, t: Array, out: Array) -> None:
        """Write f(y, t)."""
        raise NotImplementedError  # every loss has its own

    def slopes(self, y: Array, t: Array, out: Array) -> None:
        """Write df/dy."""
        raise NotImplementedError  # every loss has its own

    def forward(self, z: Array, y: Array, target: Array, weight: Array | None) -> float:
        out = self.scratch("values", y.shape, y.dtype)
        self.values(y, target.reshape(y.shape), out)
        return mean(out, weight)

    def backward(self, z: Array, y: Array, target: Array, weight: Array | None, dz: Array) -> None:
        self.slopes(y, target.reshape(y.shape), dz)
        weigh(dz, weight, y.size)


def pairs(y: Array, target: Array) -> Iterator[tuple[int, float, float]]:
    """(number from 1, output, target) of each output of one example; none where they do not match one to one."""
    if y.size == target.size:
        for i, (a, b) in enumerate(zip(y.reshape(-1), target.reshape(-1), strict=True), start=1):
            yield i, float(a), float(b)


def mean(terms: Array, weight: Array | None) -> float:
    """Σ w L / count of an (N, …) array, which is overwritten."""
    if weight is not None:
        np.multiply(terms, spread(weight, terms.ndim), out=terms)
    total: float = np.add.reduce(terms, axis=None).item() / terms.size
    return total


def weigh(dz: Array, weight: Array | None, count: int) -> None:
    """Turn the gradient of a sum into that of the weighted mean, in place."""
    np.multiply(dz, 1.0 / count, out=dz)
    if weight is not None:
        np.multiply(dz, spread(weight, dz.ndim), out=dz)


def spread(weight: Array, rank: int) -> Array:
    """Weights (N,) or (N, T) with the axes that let them meet (N, T, K)."""
    return weight.reshape(weight.shape + (1,) * (rank - weight.ndim))


def check_rows(loss: Loss, targets: Targets) -> None:
    """Raise BuildError unless each row of the targets is a distribution."""
    if targets.form not in ("one_hot", "distributions"):
        raise BuildError(
            f"{loss.type_name} takes rows of shares that add up to one, got numbers from {targets.low:g} to "
            f"{targets.high:g}; use mean_squared_error for values"
        )


ClassWeights = Annotated[
    list[NonNegative] | dict[str, NonNegative] | Literal["balanced"] | None,
    Doc(
        "how much each class counts: {label: weight}, 1 for the others; or a list in the order of the labels; or "
        "`balanced`, n / (K n_k), learnt from the training split"
    ),
]


def balanced(y: Array, names: Sequence[str], what: str) -> list[float] | dict[str, float]:
    """n / (K n_k) for each class that n_k of n targets have, as in scikit-learn. Raises BuildError for targets that
    are no classes."""
    one_hot = y.ndim > 1 and y.shape[-1] > 1 and y.shape[-1] == len(names)
    if y.dtype.kind not in "iub" and not bool(((y == 0) | (y == 1)).all()):
        raise BuildError(f"{what}: class_weights: balanced counts classes, and the targets are numbers; give a list")
    ids = (y.argmax(axis=-1) if one_hot else np.asarray(y)).reshape(-1).astype(np.int64)
    counts = np.bincount(ids, minlength=max(2, len(names)))
    weights = [float(w) for w in len(ids) / (len(counts) * np.maximum(counts, 1))]
    return dict(zip(names, weights, strict=True)) if len(names) == len(weights) else weights


def weights_by_class(given: list[float] | dict[str, float] | Literal["balanced"], names: Sequence[str]) -> list[float]:
    """The weight of each class, 1 where none is given. Raises BuildError unless a list has one number per class, and a
    mapping names classes by their labels."""
    if given == "balanced":
        raise BuildError("class_weights: balanced has not been learnt from targets yet; give a list or {label: weight}")
    pairs = {str(label): weight for label, weight in given.items()} if isinstance(given, dict) else {}
    shown = ", ".join([*names[:12], *(["…"] if len(names) > 12 else [])])
    if isinstance(given, list):
        if len(given) != len(names):
            raise BuildError(
                f"class_weights has {len(given)} numbers; expected one number per class: {len(names)} for {shown}"
            )
        return given
    unknown = [label for label in pairs if label not in names]
    if unknown:
        raise BuildError(
            f"class_weights names {', '.join(unknown)}, which is no label of the data; expected some of {shown}"
        )
    return [pairs.get(label, 1.0) for label in names]
