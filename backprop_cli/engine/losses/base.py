"""The base of every loss: a number from outputs and targets, and its gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from backprop_cli.engine.layer import Shape
from backprop_cli.errors import BuildError
from backprop_cli.registry import Component, register

Array = npt.NDArray[Any]


def loss(name: str, *aliases: str) -> Any:
    """Class decorator: files a loss under its names."""
    return register("loss", name, *aliases)


@dataclass(kw_only=True)
class Loss(Component):
    """L = mean over the examples (and steps, and outputs) of a batch.

    `forward` and `backward` get z and y: the same array, or, where the builder fused a final
    activation (one named in `fuses`), the logits z and the activated outputs y; `backward` then
    writes dL/dz. Without fusion z is y. `weight` (N,) weighs examples, (N, T) their steps; the mean is still over all.
    """

    fuses: ClassVar[tuple[str, ...]] = ()
    targets: ClassVar[Literal["values", "classes", "either"]] = "values"
    # {"options": {…}, "output": shape, "target": kind, "activation": name} for the gradient battery
    examples: ClassVar[list[dict[str, Any]]] = []

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
                    "use sparse_categorical_crossentropy, or add the transform {type: one_hot}"
                )
            if output != target and (*output,) != (*target, 1):
                raise BuildError(
                    f"{self.type_name} compares outputs of shape {output} with targets of shape {target}; "
                    "they must be equal"
                )

    def forward(self, z: Array, y: Array, target: Array, weight: Array | None) -> float:
        raise NotImplementedError

    def backward(self, z: Array, y: Array, target: Array, weight: Array | None, dz: Array) -> None:
        """Write dL/dz (dL/dy where nothing is fused) into dz."""
        raise NotImplementedError


def mean(per_element: Array, weight: Array | None) -> float:
    """The mean of an (N, …) array, examples weighed."""
    if weight is not None:
        per_element = per_element * weight.reshape(*weight.shape, *[1] * (per_element.ndim - weight.ndim))
    return float(per_element.mean())


def weigh(dz: Array, weight: Array | None, count: int) -> None:
    """Turn the gradient of a sum into that of the weighed mean, in place."""
    np.multiply(dz, 1.0 / count, out=dz)
    if weight is not None:
        np.multiply(dz, weight.reshape(*weight.shape, *[1] * (dz.ndim - weight.ndim)), out=dz)
