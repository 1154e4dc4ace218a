"""Shorthand in the architecture list, which the builder expands into ordinary nodes of the graph.

- residual: [layers]
- parallel: {branches: [[layers], [layers]], merge: concat}
- repeat: {times: 3, layers: [layers]}
- {shared: name}        the layer of that name once more, with its options and its parameters
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Interval, MinLen

from backprop_cli.registry import Component, Registered, register

Layers = Annotated[list[Any], Registered("layer"), MinLen(1)]


class Sugar(Component):
    """Base of every shorthand. `main` is the option that a bare list stands for."""

    main: ClassVar[str] = "layers"


@register("sugar", "residual")
class Residual(Sugar):
    """y = x + f(x): the layers, and a shortcut around them.

    With `projection: auto` a shortcut whose shape differs from f(x) goes through a linear map
    (a dense layer, or a convolution of size 1 with the stride that fits); with `none` that is an
    error. He et al. 2016, doi:10.1109/CVPR.2016.90
    """

    layers: Layers
    projection: Literal["auto", "none"] = "auto"
    name: str | None = None
    inputs: list[str] | None = None


@register("sugar", "parallel")
class Parallel(Sugar):
    """Branches that all take the same input; `merge` names the layer that joins their outputs.

    An empty branch passes its input on.
    """

    main: ClassVar[str] = "branches"

    branches: Annotated[list[list[Any]], Registered("layer"), MinLen(1)]
    merge: Annotated[Any, Registered("layer")] = "concat"
    name: str | None = None
    inputs: list[str] | None = None


@register("sugar", "repeat")
class Repeat(Sugar):
    """The same layers several times in a row, each time with parameters of their own."""

    times: Annotated[int, Interval(ge=1, le=1000)]
    layers: Layers
    name: str | None = None
    inputs: list[str] | None = None
