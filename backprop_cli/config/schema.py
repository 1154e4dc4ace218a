"""The top level of a config, as a frozen dataclass. Its options are the keys of the YAML file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, MinLen
from pydantic import AfterValidator, WithJsonSchema

from backprop_cli.config.marked import Keys, Mark, nearest, problem
from backprop_cli.errors import Problem
from backprop_cli.registry import Doc, Registered


def _numbers(value: Any) -> Any:
    """A number, or lists of numbers to any depth. Raises ValueError."""
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number or lists of numbers, got {value!r}")
    return value


def _name(value: str) -> str:
    """A name that can be part of a directory's name anywhere. Raises ValueError."""
    if not re.fullmatch(NAME, value) or len(value.encode()) > 100:
        raise ValueError(f"expected at most 100 letters, digits and signs other than / and \\, got {value!r:.60}")
    return value


NAME = r"[^./\\\x00-\x1f\x7f-\x9f ][^/\\\x00-\x1f\x7f-\x9f]*"
Name = Annotated[
    str, AfterValidator(_name), WithJsonSchema({"type": "string", "maxLength": 100, "pattern": f"^{NAME}$"})
]
Numbers = Annotated[
    Any, AfterValidator(_numbers), WithJsonSchema({"type": ["number", "array"], "description": "lists of numbers"})
]


@dataclass(kw_only=True)
class Weights:
    """Weights that training starts from; a path alone is short for `{path: …}`.

    Layouts are converted from what the file says it is. Layers are paired by `map`, then by name, and those of other
    programs else by kind and shapes, in the order of their names (1, 2, …, 10); what was paired is said.
    """

    path: Annotated[
        Path,
        Doc(
            "a run, by its directory or id (its best checkpoint), or a file: .safetensors, .npz, .weights.h5, .keras; "
            "sample:NAME for weights that ship with bp"
        ),
    ]
    map: Annotated[
        dict[str, str], Doc("names of layers in the file, with the names of the layers here that get their weights")
    ] = field(default_factory=dict)
    match: Annotated[
        list[str], Doc("patterns such as conv* or dense_2.b: only these layers and arrays of the network are loaded")
    ] = field(default_factory=list)
    skip: Annotated[list[str], Doc("patterns for what is left out; layers of the file may be named, too")] = field(
        default_factory=list
    )
    strict: Annotated[
        bool, Doc("whether every array of the network has to be in the file, and every array of the file used")
    ] = True


@dataclass(frozen=True, kw_only=True)
class Options:
    """A training run: data, network, loss, optimizer, and how long and how often."""

    name: Annotated[Name, Doc("what the run is called; its directory begins with it")]
    seed: Annotated[int, Ge(0), Doc("of the initial weights, the order of the batches, dropout and augmentation")] = 0
    dtype: Annotated[
        Literal["float32", "float64"],
        Doc("of every array in the network; float64 for gradient checks, float32 is twice as fast"),
    ] = "float32"
    dataset: Annotated[
        Any, Registered("source", key="source"), Doc("where the examples come from, how they are split and transformed")
    ]
    architecture: Annotated[
        list[Any],
        Registered("layer"),
        MinLen(1),
        Doc("the layers from the input to the output, each fed by the one before unless it has `inputs`"),
    ]
    weights: Annotated[
        Path | Weights | None, Doc("weights to start from, in place of the initializers': a run, or a file of others")
    ] = None
    parameters: Annotated[
        dict[str, Numbers], Doc("initial weights by name, such as dense_1.W, in place of the initializer's")
    ] = field(default_factory=dict)
    loss: Annotated[Any, Registered("loss"), Doc("the number that training makes smaller")]
    optimizer: Annotated[
        Any,
        Registered("optimizer", default="adam"),
        Doc("the rule that turns gradients into updates of the weights, with its learning rate"),
    ]
    trainer: Annotated[
        Any,
        Registered("section", default="trainer"),
        Doc("how long to train, in which batches, and what to measure and save"),
    ]
    plugins: Annotated[
        list[Path],
        Doc("Python files that register layers, losses and the like of your own; run before the config is checked"),
    ] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Config(Options):
    """A checked config: instances of the registered classes, and where each value was written.

    Paths to files are absolute; `relative` holds those that were written relative. `folder` is where the config
    lies. `marks` holds the place of every key that a file or `--set` gave (the rest are defaults); `places` the key
    of every instance, by its id. `secrets` are the keys of values from variables of the environment that nobody
    should see, with the `${env:…}` in their place.
    """

    path: Path | None = field(default=None, compare=False)
    folder: Path = field(default=Path(), compare=False)
    marks: dict[Keys, Mark] = field(default_factory=dict, compare=False, repr=False)
    places: dict[int, Keys] = field(default_factory=dict, compare=False, repr=False)
    relative: set[Path] = field(default_factory=set, compare=False, repr=False)
    overrides: tuple[str, ...] = field(default=(), compare=False)
    secrets: dict[Keys, str] = field(default_factory=dict, compare=False, repr=False)

    def on_fallback(self) -> Config:
        """The same config with the dataset it falls back to, if it has one, as its dataset."""
        if self.dataset.fallback is None:
            return self
        return replace(self, dataset=replace(self.dataset.fallback, transforms=self.dataset.transforms))

    def mark(self, path: Keys) -> Mark:
        """Where a path was written: the path itself, else the nearest one that holds it."""
        return nearest(self.marks, path)

    def problem(self, of: Any, message: str) -> Problem:
        """A problem with a path such as ("architecture", 1), or with an instance that the config holds."""
        path: Keys = of if isinstance(of, tuple) else self.places.get(id(of), ())
        return problem(self.mark(path), path, message)
