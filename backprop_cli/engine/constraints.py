"""What a layer's kernels must fulfil after every update: `constraint: max_norm`.

A norm is taken over all axes but the last, so that each unit or filter has one, as with Keras's
`axis=0` for dense kernels (in, out) and `axis=[0, 1, 2]` for convolutions (kh, kw, in, out).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt

from backprop_cli.engine.arrays import Array
from backprop_cli.registry import Component, Doc, register


def constraint(name: str, *aliases: str) -> Any:
    """Class decorator: registers a constraint under its names."""
    return register("constraint", name, *aliases)


@dataclass(kw_only=True)
class Constraint(Component):
    """A projection of a kernel, in place."""

    def apply(self, w: Array) -> None:
        raise NotImplementedError  # every constraint has its own


@constraint("max_norm")
class MaxNorm(Constraint):
    """w ← w · min(1, c / ‖w‖) for the weights of each unit, c = max_value

    Srivastava et al. 2014, JMLR 15, section 5.1
    """

    max_value: Annotated[
        float, Gt(0), Doc("largest norm of the weights into one unit; 2 to 4 are usual with dropout")
    ] = 2.0

    def apply(self, w: Array) -> None:
        columns = w.reshape(-1, w.shape[-1])
        norms = np.sqrt(np.einsum("ij,ij->j", columns, columns))
        np.multiply(columns, self.max_value / np.maximum(norms, self.max_value), out=columns)


@constraint("non_negative", "non_neg")
class NonNegativeWeights(Constraint):
    """w ← max(w, 0)"""

    def apply(self, w: Array) -> None:
        np.maximum(w, 0, out=w)
