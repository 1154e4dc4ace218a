"""The top level of a config, as a frozen dataclass. Its options are the keys of the YAML file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, MinLen
from pydantic import AfterValidator, WithJsonSchema

from backprop_cli.config.nodes import DEFAULT, Keys, Mark, problem
from backprop_cli.errors import Problem
from backprop_cli.registry import Registered


def _numbers(value: Any) -> Any:
    """A number, or lists of numbers to any depth. Raises ValueError."""
    if isinstance(value, list):
        return [_numbers(each) for each in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number or lists of numbers, got {value!r}")
    return value


Numbers = Annotated[
    Any, AfterValidator(_numbers), WithJsonSchema({"type": ["number", "array"], "description": "lists of numbers"})
]


@dataclass(frozen=True, kw_only=True)
class Options:
    """A training run: data, network, loss, optimizer, and how long and how often."""

    name: Annotated[str, MinLen(1)]
    seed: Annotated[int, Ge(0)] = 0
    dtype: Literal["float32", "float64"] = "float32"
    dataset: Annotated[Any, Registered("source", key="source")]
    architecture: Annotated[list[Any], Registered("layer"), MinLen(1)]
    parameters: dict[str, Numbers] = field(default_factory=dict)
    loss: Annotated[Any, Registered("loss")]
    optimizer: Annotated[Any, Registered("optimizer", default="adam")]
    trainer: Annotated[Any, Registered("section", default="trainer")]
    plugins: list[Path] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Config(Options):
    """A checked config: instances of the registered classes, and where each value was written.

    `folder` is what its relative paths start from. `marks` holds the place of every path that a
    file or `--set` gave (the rest are defaults); `places` the path of every instance, by its id.
    """

    path: Path | None = field(default=None, compare=False)
    folder: Path = field(default=Path(), compare=False)
    marks: dict[Keys, Mark] = field(default_factory=dict, compare=False, repr=False)
    places: dict[int, Keys] = field(default_factory=dict, compare=False, repr=False)
    overrides: tuple[str, ...] = field(default=(), compare=False)

    def mark(self, path: Keys) -> Mark:
        """Where a path was written: the path itself, else the nearest one that holds it."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.marks:
                return self.marks[path[:end]]
        return DEFAULT

    def problem(self, of: Any, message: str) -> Problem:
        """A problem with a path such as ("architecture", 1), or with an instance that the config holds."""
        path: Keys = of if isinstance(of, tuple) else self.places.get(id(of), ())
        return problem(self.mark(path), path, message)
