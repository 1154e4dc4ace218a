"""Shorthand in the architecture list, which the builder expands into ordinary nodes of the graph.

- residual: [layers]
- parallel: {branches: [[layers], [layers]], merge: concat}
- repeat: {times: 3, layers: [layers]}
- {shared: name}        the layer of that name once more, with its options and its parameters
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Interval, MinLen

from backprop_cli.registry import Component, Doc, Registered, register

Layers = Annotated[list[Any], Registered("layer"), MinLen(1)]


@dataclass(kw_only=True)
class Sugar(Component):
    """Base of every shorthand. `main` is the option that a bare list stands for."""

    name: Annotated[str | None, Doc("what `inputs` calls the output of the whole block")] = None
    inputs: Annotated[
        list[str] | None, Doc("the layer it takes its input from; by default the layer before; `input` is the data")
    ] = None

    main: ClassVar[str] = "layers"


@register("sugar", "residual")
class Residual(Sugar):
    """y = x + f(x): the layers, and a shortcut around them.

    With `projection: auto` a shortcut whose shape differs from f(x) goes through a linear map
    (a dense layer, or a convolution of size 1 with the stride that fits); with `none` that is an
    error. He et al. 2016, doi:10.1109/CVPR.2016.90
    """

    layers: Annotated[Layers, Doc("the layers of f")]
    projection: Annotated[
        Literal["auto", "none"],
        Doc("`auto` fits a shortcut of another shape with a linear map; `none` makes that an error"),
    ] = "auto"


@register("sugar", "parallel")
class Parallel(Sugar):
    """Branches that all take the same input; `merge` names the layer that joins their outputs.

    An empty branch passes its input on.
    """

    main: ClassVar[str] = "branches"

    branches: Annotated[
        list[list[Any]],
        Registered("layer"),
        MinLen(1),
        Doc("lists of layers that all take the same input; an empty one passes it on"),
    ]
    merge: Annotated[
        Any, Registered("layer"), Doc("the layer that joins the outputs of the branches: concat, add, multiply, …")
    ] = "concat"


@register("sugar", "repeat")
class Repeat(Sugar):
    """The same layers several times in a row, each time with parameters of their own."""

    times: Annotated[int, Interval(ge=1, le=1000), Doc("how often the layers follow one another")]
    layers: Annotated[Layers, Doc("the layers to repeat; each repetition has parameters of its own")]
