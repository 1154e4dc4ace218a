from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Len

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Activation, NonNegative
from backprop_cli.engine.losses.base import Loss, loss
from backprop_cli.engine.reading import Reading, Scale
from backprop_cli.errors import BuildError
from backprop_cli.registry import Doc, Registered, make

Column = Annotated[int, Ge(0)]


@dataclass(kw_only=True)
class PartOfLoss:
    """The loss of one output of a network that has several.

    Where the output has several numbers and one target, the target is a class id; else there is a target for each.
    """

    loss: Annotated[Any, Registered("loss"), Doc("the loss of this output alone")]
    targets: Annotated[list[Column], Len(1), Doc("which columns of the targets it is compared with, counted from 0")]
    weight: Annotated[NonNegative, Doc("factor of this loss in the sum")] = 1.0

    def __post_init__(self) -> None:
        self.loss = make("loss", self.loss)
        self.place = slice(0, 0)  # among the network's outputs

    @property
    def width(self) -> int:
        """How many numbers the output has."""
        return self.place.stop - self.place.start

    @property
    def ids(self) -> bool:
        """Whether its target is a class id."""
        return self.width > 1 and len(self.targets) == 1

    def of_target(self, target: Array) -> Array:
        """Its targets (n,) or (n, columns) among all of them."""
        if self.ids:
            return np.asarray(target[:, self.targets[0]], np.int64)
        return np.ascontiguousarray(target[:, self.targets])

    @property
    def reading(self) -> Reading:
        """How its output is to be read."""
        scale: Scale = self.loss.scale or ("scores" if self.loss.answers == "values" else "probabilities")
        threshold = 0.5 if scale == "probabilities" else 0.0
        if self.ids:
            return Reading("classes", scale, threshold, numeric=False)
        if self.loss.answers == "values":
            return Reading("values", scale, threshold)
        return Reading("binary" if self.width == 1 else "labels", scale, threshold, numeric=False)


@loss("combined", "weighted_sum")
class Combined(Loss):
    """A weighted sum of losses, one for each output of a network that ends in `concat`.

    L = Σ weight_p L_p(y_p, t_p)          dy_p = weight_p dL_p/dy_p          y (N, K)   targets (N, M)
    `parts` are by the names of the layers that the last one, a `concat`, puts side by side: y_p are their outputs, and
    t_p columns of the targets. Nothing is fused: a softmax before its cross-entropy is more stable left out, with
    `from_logits: true`. The metric `of_output` measures one of them.
    """

    parts: Annotated[
        dict[str, PartOfLoss], Doc("the loss of each output, by the name of its layer: {kind: {loss: …, targets: [0]}}")
    ] = field(default_factory=dict)

    targets = "either"

    examples = [
        {
            "options": {
                "parts": {
                    "a": {"loss": "mse", "targets": [0]},
                    "b": {"loss": "huber", "targets": [2, 1], "weight": 0.3},
                }
            },
            "output": (3,),
            "target": "values",
        },
    ]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.parts = {
            name: PartOfLoss(**part) if isinstance(part, Mapping) else part for name, part in self.parts.items()
        }
        start = 0
        for part in self.parts.values():  # until the network says where they are
            part.place = slice(start, start + len(part.targets))
            start = part.place.stop

    @property
    def outputs(self) -> tuple[str, ...]:
        """kind_0, kind_1, kind_2, price: in the order of y."""
        parts = sorted(self.parts.items(), key=lambda item: item[1].place.start)
        return tuple(
            name if part.width == 1 else f"{name}_{number}" for name, part in parts for number in range(part.width)
        )

    def take_outputs(self, outputs: Mapping[str, tuple[slice, Activation | None]]) -> None:
        """Hear where each layer's output lies in y, and the activation it passed last. Raises BuildError unless every
        output has a part, and every part an output."""
        if not outputs or set(outputs) != set(self.parts):
            raise BuildError(
                f"combined has parts for {', '.join(self.parts) or 'nothing'}; expected one for each layer that the "
                f"last one, a concat, puts together: {', '.join(outputs) or 'but the network does not end in one'}"
            )
        for name, (columns, activation) in outputs.items():
            part = self.parts[name]
            part.place = columns
            try:
                part.loss.check_activation(activation)
            except BuildError as error:
                raise BuildError(f"{name}: {error.message}") from None

    def check(self, output: Shape, target: Shape, target_dtype: np.dtype[Any], classes: int | None) -> None:
        if len(output) != 1 or len(target) != 1 or classes is not None:
            raise BuildError(
                f"combined compares outputs (K,) with columns of targets (M,), got {output} and {target}; give the "
                "targets as several columns"
            )
        for name, part in self.parts.items():
            if max(part.targets) >= target[0]:
                raise BuildError(
                    f"{name}: there is no target {max(part.targets)}; there are {target[0]}, counted from 0"
                )
            wanted = () if part.ids else (len(part.targets),)
            try:
                part.loss.check((part.width,), wanted, np.dtype(np.int64) if part.ids else target_dtype, None)
            except BuildError as error:
                raise BuildError(f"{name}: {error.message}") from None

    def forward(self, z: Array, y: Array, target: Array, weight: Array | None) -> float:
        total = 0.0
        for index, part in enumerate(self.parts.values()):
            part.loss.kernels = self.kernels
            own = self._own(index, part, y)
            total += part.weight * part.loss.forward(own, own, part.of_target(target), weight)
        return total

    def backward(self, z: Array, y: Array, target: Array, weight: Array | None, dz: Array) -> None:
        for index, part in enumerate(self.parts.values()):
            own = self._own(index, part, y)
            slope = self.scratch(f"slope {index}", own.shape, own.dtype)
            part.loss.backward(own, own, part.of_target(target), weight, slope)
            np.multiply(slope, part.weight, out=dz[:, part.place])

    def _own(self, index: int, part: PartOfLoss, y: Array) -> Array:
        own = self.scratch(f"output {index}", (len(y), part.width), y.dtype)
        np.copyto(own, y[:, part.place])
        return own


def parts_of(function: Loss | None) -> Mapping[str, PartOfLoss]:
    """The parts of a loss that has some, by the names of the outputs; else none."""
    return function.parts if isinstance(function, Combined) else {}


def tell_outputs(function: Loss | None, joined: Mapping[str, tuple[slice, Activation | None]]) -> None:
    """Tell a loss that has parts where the outputs lie."""
    if isinstance(function, Combined):
        function.take_outputs(joined)


def tell_parts(metrics: Sequence[Any], function: Loss | None) -> None:
    """Tell metrics of single outputs where these lie."""
    for metric in metrics:
        if hasattr(metric, "take_part"):
            metric.take_part(parts_of(function))
