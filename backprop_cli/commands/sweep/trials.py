"""What a sweep varies: a grid, or a seeded random search.

Axes come from `--set`: `key=a,b,c` (a list), `key=0..4` (whole numbers), `key=log:1e-4..1e-1` and
`key=uniform:0..0.5` (drawn, with --trials). A trial is a set of overrides; its id is a digest of them,
so that a sweep finds its own trials again.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from backprop_cli.errors import UsageError

_WHOLE = re.compile(r"^(-?\d+)\.\.(-?\d+)$")
_DRAWN = re.compile(r"^(log|uniform):(.+?)\.\.(.+)$")
MAX_TRIALS = 10_000


@dataclass(frozen=True)
class Variation:
    """One varied key: its values, or the bounds it is drawn between."""

    key: str
    values: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False

    def draw(self, rng: np.random.Generator) -> str:
        """One value for a random search."""
        if self.values:
            return self.values[int(rng.integers(len(self.values)))]
        if self.log:
            return f"{math.exp(rng.uniform(math.log(self.low), math.log(self.high))):.6g}"
        return f"{rng.uniform(self.low, self.high):.6g}"


@dataclass(frozen=True)
class Trial:
    """One training of a sweep: `overrides` are its --set values, `id` names its folder."""

    id: str
    overrides: tuple[str, ...]
    varied: dict[str, str]

    def __str__(self) -> str:
        return " ".join([self.id, *self.settings])

    @property
    def fixed(self) -> list[str]:
        """What is the same in every trial of its sweep, as it is given with --set."""
        return [text for text in self.overrides if text.partition("=")[0] not in self.varied]

    @property
    def settings(self) -> list[str]:
        """What is varied, as it is given with --set."""
        return [f"{key}={value}" for key, value in self.varied.items()]


def parse(settings: Sequence[str]) -> tuple[list[Variation], list[str]]:
    """The axes among `--set` values, and those that are the same in every trial. Raises UsageError."""
    axes, fixed = [], []
    for text in settings:
        key, equals, right = text.partition("=")
        axis = _axis(key, right) if equals and not key.startswith("~") and not key.endswith("+") else None
        if axis is None:
            fixed.append(text)
        else:
            axes.append(axis)
    return axes, fixed


def _axis(key: str, right: str) -> Variation | None:
    whole = _WHOLE.match(right)
    if whole:
        low, high = int(whole[1]), int(whole[2])
        if high < low or high - low >= MAX_TRIALS:
            raise UsageError(f"--set {key}={right}: expected first..last with at most {MAX_TRIALS:,} numbers between")
        return Variation(key, tuple(str(number) for number in range(low, high + 1)))
    drawn = _DRAWN.match(right)
    if drawn:
        try:
            low_f, high_f = float(drawn[2]), float(drawn[3])
        except ValueError:
            raise UsageError(f"--set {key}={right}: expected {drawn[1]}:LOW..HIGH with two numbers") from None
        if not low_f < high_f or (drawn[1] == "log" and low_f <= 0):
            raise UsageError(f"--set {key}={right}: expected LOW < HIGH, and LOW > 0 with log:")
        return Variation(key, (), low_f, high_f, drawn[1] == "log")
    values = tuple(_split(right))
    return Variation(key, values) if len(values) > 1 else None


def _split(text: str) -> Iterator[str]:
    """The parts between commas that stand outside brackets and quotes."""
    depth, quote, start = 0, "", 0
    for i, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "[{":
            depth += 1
        elif letter in "]}":
            depth -= 1
        elif letter == "," and depth == 0:
            yield text[start:i].strip()
            start = i + 1
    yield text[start:].strip()


def plan(settings: Sequence[str], count: int | None = None, seed: int = 0, folds: int | None = None) -> list[Trial]:
    """Every point of the grid, or `count` points drawn from a generator of this seed; with `folds` each once for every
    fold. Raises UsageError."""
    axes, fixed = parse(settings)
    if folds is not None:
        taken = [text for text in settings if text.partition("=")[0] in ("dataset.fold", "dataset.folds")]
        if taken:
            raise UsageError(f"--folds {folds} sets dataset.folds and dataset.fold; leave --set {taken[0]} out")
        fixed = [*fixed, f"dataset.folds={folds}"]
    if not axes and folds is None:
        raise UsageError("nothing varies; expected --set KEY=A,B or KEY=0..4 or, with --trials, KEY=log:A..B")
    continuous = [axis.key for axis in axes if not axis.values]
    if count is None:
        if continuous:
            raise UsageError(f"{continuous[0]} is drawn from a range; say how often with --trials N")
        size = math.prod(len(axis.values) for axis in axes)
        if size > MAX_TRIALS:
            raise UsageError(f"a grid of {size:,} trials; expected at most {MAX_TRIALS:,}, or --trials N of it")
        points: list[tuple[str, ...]] = list(itertools.product(*(axis.values for axis in axes)))
    else:
        rng = np.random.default_rng(seed)
        points = [tuple(axis.draw(rng) for axis in axes) for _ in range(count)]
    made = {}
    for point in points:
        for fold in range(1, (folds or 1) + 1):
            varied = {axis.key: value for axis, value in zip(axes, point, strict=True)}
            varied |= {"dataset.fold": str(fold)} if folds is not None else {}
            overrides = (*fixed, *(f"{key}={value}" for key, value in varied.items()))
            made[digest(overrides)] = Trial(digest(overrides), overrides, varied)
    return list(made.values())


def digest(overrides: Iterable[str]) -> str:
    """The id of the trial with these overrides."""
    return hashlib.sha256("\0".join(overrides).encode()).hexdigest()[:8]
