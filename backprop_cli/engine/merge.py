"""The base of every layer that joins inputs of one shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backprop_cli.engine.arrays import Shape
from backprop_cli.engine.layer import Layer
from backprop_cli.engine.masks import All
from backprop_cli.errors import BuildError


@dataclass(kw_only=True)
class Merge(Layer):
    """A function of two or more inputs of one shape."""

    listed_under = "Merging"

    merges = True

    def build(self, *shapes: Shape) -> Shape:
        if len(set(shapes)) != 1 or len(shapes) < 2:
            raise BuildError(
                f"{self.type_name} takes two or more inputs of one shape, got {', '.join(map(str, shapes))}"
            )
        self.mask_rule = All(shapes[0][0])
        return shapes[0]

    def flops(self, *shapes: Shape) -> int:
        return (len(shapes) - 1) * int(np.prod(shapes[0]))
