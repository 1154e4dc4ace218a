"""Problems made from a formula and a seed: nothing to download, and the answer is known."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Interval

from backprop_cli import registry
from backprop_cli.data import splits
from backprop_cli.data.arrays import Array
from backprop_cli.data.dataset import Dataset
from backprop_cli.data.source import Source, source
from backprop_cli.errors import DataError, shortage
from backprop_cli.registry import Doc
from backprop_cli.seeds import generator

if TYPE_CHECKING:
    from backprop_cli.data.schema import Schema

Noise = Annotated[float, Ge(0), Doc("standard deviation of the Gaussian noise added to x")]
BYTES = 3 * 8  # of memory for each number: they are made in a few steps, each of which makes its own
AtLeastOne = Annotated[int, Interval(ge=1, le=10**9)]
AtLeastTwo = Annotated[int, Interval(ge=2, le=10**5)]  # classes, steps: of each one something is made in Python


@source("synthetic")
class Synthetic(Source):
    """A problem from a formula: `{source: synthetic, name: moons, …}`; `name` brings its own options.

    `seed` fixes the data; by default it is the config's. Without `splits` everything is `train`.
    """

    dispatch: ClassVar[tuple[str, str]] = ("synthetic", "name")

    seed: Annotated[Annotated[int, Ge(0)] | None, Doc("of the data alone; by default the config's seed")] = None

    @classmethod
    def datasets(cls) -> list[str]:
        """The problems that are whole without options (`points` needs its points)."""
        return [
            name
            for name, problem in registry.classes("synthetic").items()
            if not any(registry.required(problem, option) for option in registry.options(problem))
        ]

    @classmethod
    def about(cls, name: str) -> str:
        return (inspect.getdoc(registry.get("synthetic", name)) or "").partition("\n")[0]

    @classmethod
    def named(cls, name: str) -> Source:
        problem: Source = registry.get("synthetic", name)()
        return problem

    @property
    def classes(self) -> list[str] | None:
        """The names of the class ids in y, None where y holds values."""
        return None

    @property
    def target_names(self) -> list[str]:
        """The names of the columns of y, where they have any."""
        return []

    def numbers(self) -> int:
        """About how many numbers the options ask for, x, y and what they are made of together; 0 where that is known to
        be few."""
        return 0

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """All rows: x (N, …), and y (N,) class ids, (N, K) values or (N, T) ids per step."""
        raise NotImplementedError  # every problem has its own rows

    def draw(self, seed: int) -> tuple[Array, Array]:
        """x and y of `generate` from a seed; problems that another program generates, too, use its generator."""
        return self.generate(generator(seed, "synthetic", self.type_name))

    def load(self, seed: int, folder: Path, known: Schema | None = None) -> Dataset:
        """The rows of `draw`, cut into splits. Raises DataError for more than memory holds, before any is made."""
        seed = seed if self.seed is None else self.seed
        self.check_size()
        x, y = self.draw(seed)
        return Dataset(
            name=self.type_name,
            source="synthetic",
            splits=splits.cut({"train": x}, {"train": y}, self.splits or {"train": "train"}),
            classes=self.classes,
            targets=self.target_names,
            origin={"seed": seed},
        )

    def check_size(self) -> None:
        """Raise DataError where the options ask for more rows than memory holds."""
        lacking = shortage(self.numbers() * BYTES)
        if lacking is None:
            return
        sizes: dict[str, Any] = {
            name: value for name, value in vars(self).items() if name != "seed" and type(value) is int
        }
        smaller = {name: replace(self, **{name: value // 2}) for name, value in sizes.items() if value > 2}
        keys = [name for name, half in smaller.items() if half.numbers() < self.numbers()]
        key = max(keys or ["name"], key=lambda name: sizes.get(name, 0))
        raise DataError(f"dataset.{key}: {sizes.get(key, self.type_name)} {lacking}; choose a smaller one")


@dataclass(kw_only=True)
class Sampled(Synthetic):
    """A problem of `samples` rows, drawn independently, so that any slice is a fair one."""

    samples: Annotated[AtLeastOne, Doc("rows to draw")] = 1000


def numbered(count: int) -> list[str]:
    """Class names where there is nothing to call them: 0, 1, …"""
    return [str(label) for label in range(count)]


def labels(samples: int, classes: int, rng: np.random.Generator) -> Array:
    """Class ids (samples,) int64 in random order, each class as often as the others (one more or less)."""
    return rng.permutation(np.arange(samples) % classes)
