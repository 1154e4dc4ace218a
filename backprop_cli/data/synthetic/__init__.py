"""Problems made from a formula and a seed: nothing to download, and the answer is known."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Interval

from backprop_cli import registry
from backprop_cli.data import splits
from backprop_cli.data.arrays import Array
from backprop_cli.data.dataset import Dataset
from backprop_cli.data.source import Source, source
from backprop_cli.registry import Doc
from backprop_cli.seeds import generator

if TYPE_CHECKING:
    from backprop_cli.data.schema import Schema

Noise = Annotated[float, Ge(0), Doc("standard deviation of the Gaussian noise added to x")]
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

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """All rows: x (N, …), and y (N,) class ids, (N, K) values or (N, T) ids per step."""
        raise NotImplementedError  # every problem has its own rows

    def draw(self, seed: int) -> tuple[Array, Array]:
        """The same from a seed; those that another program generates, too, use its generator."""
        return self.generate(generator(seed, "synthetic", self.type_name))

    def load(self, seed: int, folder: Path, known: Schema | None = None) -> Dataset:
        seed = seed if self.seed is None else self.seed
        x, y = self.draw(seed)
        return Dataset(
            name=self.type_name,
            source="synthetic",
            splits=splits.cut({"train": x}, {"train": y}, self.splits or {"train": "train"}),
            classes=self.classes,
            targets=self.target_names,
            origin={"seed": seed},
        )


@dataclass(kw_only=True)
class Sampled(Synthetic):
    """A problem of `samples` rows, drawn independently, so that any slice is a fair one."""

    samples: Annotated[AtLeastOne, Doc("rows to draw")] = 1000


def numbered(count: int) -> list[str]:
    """Class names where there is nothing to call them: 0, 1, …"""
    return [str(label) for label in range(count)]


def labels(samples: int, classes: int, rng: np.random.Generator) -> Array:
    """Class ids in random order, each class as often as the others (one more or less)."""
    return rng.permutation(np.arange(samples) % classes)
