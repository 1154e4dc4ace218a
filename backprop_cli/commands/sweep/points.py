"""The completed trials of a sweep as numbers: what was varied, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from backprop_cli.commands.sweep.outcomes import Outcome
from backprop_cli.commands.sweep.summary import values_of

DECADES = 30.0  # the largest over the smallest, from which an axis is logarithmic


@dataclass(frozen=True)
class Column:
    """One varied key: its value in each trial, None where the trial does not have it."""

    key: str
    texts: Sequence[str | None]

    @cached_property
    def choices(self) -> list[str]:
        """Its values, in order."""
        return sorted({text for text in self.texts if text is not None})

    @property
    def distinct(self) -> int:
        """The number of different values."""
        return len(self.choices)

    @cached_property
    def numeric(self) -> bool:
        """Whether every value is a finite number."""
        return all(_number(text) is not None for text in self.choices)

    @cached_property
    def numbers(self) -> list[float]:
        """Where each trial lies: its number, or the place of its choice; NaN where it has none."""
        if self.numeric:
            numbers = [_number(text) if text is not None else None for text in self.texts]
            return [math.nan if number is None else number for number in numbers]
        places = {choice: float(i) for i, choice in enumerate(self.choices)}
        return [math.nan if text is None else places[text] for text in self.texts]

    @property
    def log(self) -> bool:
        """Whether a logarithmic axis shows more."""
        numbers = [number for number in self.numbers if not math.isnan(number)]
        return self.numeric and min(numbers) > 0 and max(numbers) / min(numbers) >= DECADES


@dataclass(frozen=True)
class Points:
    """The trials that have completed, the best first."""

    metric: str
    maximize: bool
    outcomes: list[Outcome]
    values: list[float]

    @cached_property
    def columns(self) -> list[Column]:
        """The keys of which trials have different values."""
        longest = sorted(
            self.outcomes, key=lambda outcome: -len(outcome.trial.varied)
        )  # conditional keys in their places
        keys = dict.fromkeys(key for outcome in longest for key in outcome.trial.varied)
        columns = [Column(key, [outcome.trial.varied.get(key) for outcome in self.outcomes]) for key in keys]
        return [column for column in columns if column.distinct > 1]


def points_of(
    folder: Path, outcomes: Sequence[Outcome], metric: str | None = None, maximize: bool | None = None
) -> Points:
    """The completed trials with the metric, the best first. Raises UsageError where no trial has completed or has
    it."""
    column, values, rises = values_of(folder, outcomes, metric, maximize)
    return Points(column, rises, [outcome for _, outcome in values], [value for value, _ in values])


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
