"""The trials of a sweep that are known before it starts: a grid, a seeded random search, or points that fill the space.

A trial is a set of overrides; its id is a digest of them, so that a sweep finds its own trials again.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from backprop_cli.commands.sweep.axes import MAX_TRIALS, Axis, parse
from backprop_cli.errors import UsageError

SEARCHES = ("grid", "random", "qmc", "tpe", "cma-es")


@dataclass(frozen=True)
class Trial:
    """One training of a sweep: `overrides` are its --set values, `id` names its folder."""

    id: str
    overrides: tuple[str, ...]
    varied: dict[str, str]

    @classmethod
    def of(cls, fixed: Sequence[str], varied: dict[str, str]) -> Trial:
        """The trial with these values, in the order in which they are set."""
        overrides = (*fixed, *(f"{key}={value}" for key, value in varied.items()))
        return cls(digest(overrides), overrides, varied)

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


def plan(
    settings: Sequence[str],
    count: int | None = None,
    seed: int = 0,
    folds: int | None = None,
    search: str | None = None,
) -> list[Trial]:
    """Every point of the grid, or `count` points of a `random` or `qmc` search of this seed, each once; with `folds`
    each once for every fold. Raises UsageError."""
    axes, fixed = parse(settings)
    if folds is not None:
        taken = [text for text in settings if text.partition("=")[0] in ("dataset.fold", "dataset.folds")]
        if taken:
            raise UsageError(f"--folds {folds} sets dataset.folds and dataset.fold; leave --set {taken[0]} out")
        fixed = [*fixed, f"dataset.folds={folds}"]
    if not axes and folds is None:
        raise UsageError("nothing varies; expected --set KEY=A,B or KEY=0..4 or, with --trials, KEY=log:A..B")
    search = search or ("grid" if count is None else "random")
    trials = {}
    for varied in itertools.islice(_grid(axes) if search == "grid" else _drawn(axes, count, seed, search), count):
        for fold in range(1, (folds or 1) + 1):
            trial = Trial.of(fixed, varied | ({"dataset.fold": str(fold)} if folds is not None else {}))
            trials[trial.id] = trial
        if len(trials) > MAX_TRIALS:
            raise UsageError(f"more than {MAX_TRIALS:,} trials; expected at most that, or --search random --trials N")
    return list(trials.values())


def _grid(axes: Sequence[Axis]) -> Iterator[dict[str, str]]:
    """Every combination of values; where a condition is not met an axis is left out."""
    drawn = next((axis.key for axis in axes if not axis.values), None)
    if drawn is not None:
        raise UsageError(f"{drawn} is drawn from a range; set the number of trials with --trials N")

    def combined(i: int, varied: dict[str, str]) -> Iterator[dict[str, str]]:
        if i == len(axes):
            yield varied
        elif (condition := axes[i].condition) is not None and not condition.met(varied):
            yield from combined(i + 1, varied)
        else:
            for value in axes[i].values:
                yield from combined(i + 1, {**varied, axes[i].key: value})

    return combined(0, {})


def _drawn(axes: Sequence[Axis], count: int | None, seed: int, search: str) -> Iterator[dict[str, str]]:
    if count is None:
        raise UsageError(f"--search {search} does not end by itself; set --trials N or --budget 30m")
    if search == "qmc":
        points = _sobol(len(axes), seed)
    else:
        rng = np.random.default_rng(seed)
        points = (rng.random(len(axes)).tolist() for _ in itertools.count())
    for point in points:
        yield at(axes, point)


def at(axes: Sequence[Axis], point: Sequence[float]) -> dict[str, str]:
    """The values at a point in [0, 1)ⁿ; of axes whose condition is not met none."""
    varied: dict[str, str] = {}
    for axis, position in zip(axes, point, strict=True):
        if axis.condition is None or axis.condition.met(varied):
            varied[axis.key] = axis.at(position)
    return varied


def ends(settings: Sequence[str], search: str | None, limit: float | None, folds: int | None) -> list[Trial]:
    """Trials at the ends of what a search that learns may draw. Raises UsageError for what it cannot be asked."""
    axes, fixed = parse(settings)
    if limit is None:
        raise UsageError(f"--search {search} has no end of its own; say when with --trials N or --budget 30m")
    if not axes:
        raise UsageError("nothing varies; expected --set KEY=A,B or KEY=0..4 or KEY=log:A..B")
    if folds is not None or any(axis.key == "seed" for axis in axes):
        which = "--folds" if folds is not None else "--set seed"
        raise UsageError(
            f"{which}: --search {search} would choose the luckiest one; leave it out, and repeat the best settings "
            "with --set seed=0..4 or --folds K in a sweep of their own"
        )
    return corners(axes, fixed)


def corners(axes: Sequence[Axis], fixed: Sequence[str]) -> list[Trial]:
    """Trials that between them have every value of every list and both ends of every range, to be looked at before a
    search draws others."""
    most = max(len(axis.values) if axis.values and not axis.numeric else 2 for axis in axes)
    trials = {}
    for i in range(most):
        for shift in range(2):  # so that what is conditional comes, too
            counts = [len(axis.values) if axis.values and not axis.numeric else 2 for axis in axes]
            places = [((i + shift * k) % n + 0.5) / n for k, n in enumerate(counts)]
            ends = [position if not axis.numeric else (0.0 if position < 0.5 else 1 - 1e-9) for axis, position in
                    zip(axes, places, strict=True)]  # fmt: skip
            trial = Trial.of(fixed, at(axes, ends))
            trials[trial.id] = trial
    return list(trials.values())


def seconds(text: str) -> float:
    """`90s`, `30m`, `1.5h` in seconds. Raises UsageError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])", text)
    if match is None or float(match[1]) == 0:
        raise UsageError(f"--budget {text}: expected a time such as 90s, 30m or 1.5h")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


def _sobol(dimensions: int, seed: int) -> Iterator[list[float]]:
    """Sobol's sequence, scrambled: points that fill [0, 1)ⁿ more evenly than random ones (Owen 1998)."""
    try:
        from scipy.stats import qmc
    except ImportError:
        raise UsageError("--search qmc needs scipy: pip install 'backprop-cli[search]'") from None
    points = qmc.Sobol(dimensions, scramble=True, seed=seed)
    while True:
        yield from points.random(64).tolist()


def digest(overrides: Iterable[str]) -> str:
    """The id of the trial with these overrides, a digest."""
    return hashlib.sha256("\0".join(overrides).encode()).hexdigest()[:8]
