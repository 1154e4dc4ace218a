"""What pictures of a sweep are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from backprop_cli.commands.sweep.points import Column, Points, points_of
from backprop_cli.commands.sweep.summary import outcomes_of
from backprop_cli.errors import UsageError
from backprop_cli.insight import style
from backprop_cli.insight.view import View, sweep_of

LABELLED = 12  # choices that are written along an axis


def drawn_from(views: Sequence[View], metrics: Sequence[str], kind: str) -> tuple[Path, Points]:
    """The sweep's folder and its completed trials. Raises UsageError for runs that are no sweep."""
    folder = sweep_of(views)
    if folder is None:
        raise UsageError(f"--kind {kind} draws a sweep; expected the folder of one, as `bp sweep` makes it")
    points = points_of(folder, outcomes_of(folder), metrics[0] if metrics else None)
    if not points.columns:
        raise UsageError(f"{folder}: all completed trials have the same values; --kind {kind} shows what they vary")
    return folder, points


def axis(ax: Axes, name: str, column: Column) -> None:
    """Label an x or y axis with a key: logarithmic where that shows more, choices by name."""
    getattr(ax, f"set_{name}label")(style.shorten(column.key))
    one: Any = getattr(ax, f"{name}axis")
    if column.log:
        style.logarithmic(one)
    elif not column.numeric and column.distinct <= LABELLED:
        one.set_ticks(range(column.distinct), [style.shorten(choice, 20) for choice in column.choices])


def shares(column: Column) -> Any:
    """Where in [0, 1] each trial lies on a key's axis; NaN where it has no value."""
    numbers = np.asarray(column.numbers, float)
    numbers = np.log(numbers) if column.log else numbers
    low, high = np.nanmin(numbers), np.nanmax(numbers)
    return (numbers - low) / (high - low)
