"""The rows of metrics.jsonl as curves, for pictures and for reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from backprop_cli.engine.metrics.base import larger_is_better
from backprop_cli.errors import UsageError, did_you_mean, suggest
from backprop_cli.insight.view import View

AXES = {"epoch": "epoch", "step": "step (batches)", "time": "time of training (s)"}
COLOURS = 7  # runs that can be told apart by colour
STANDING_OUT = 5  # of more runs than that
PHASES = ("train", "validation")
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """One column of metrics.jsonl; None where a value was not finite."""

    phase: str  # train, validation, or empty for what belongs to neither (learning_rate)
    x: list[float]
    y: list[float | None]


@dataclass(frozen=True)
class Band:
    """Mean ± one standard deviation over the runs that have a finite value there."""

    x: Array
    mean: Array
    std: Array


def quantities(views: Sequence[View]) -> list[str]:
    """What the runs logged, phases taken off: loss, accuracy, …, learning_rate last."""
    columns = dict.fromkeys(key for view in views for row in view.rows for key in row)
    measured = dict.fromkeys(name.partition("/")[2] for name in columns if "/" in name)
    return [*measured, *(["learning_rate"] if "learning_rate" in columns else [])]


def wanted(views: Sequence[View], metrics: Sequence[str]) -> dict[str, list[str]]:
    """quantity -> its phases, for the metrics asked for; all but the learning rate where none are.

    Raises UsageError for a metric that no run has logged, and for runs without an epoch.
    """
    logged = quantities(views)
    if not logged:
        raise UsageError(
            f"{views[0].run.id} has not finished an epoch (status {views[0].run.status}), "
            "so there is no curve; go on with `bp train --resume`"
        )
    phases_of: dict[str, list[str]] = {}
    for name in metrics or [quantity for quantity in logged if quantity != "learning_rate"]:
        phase, _, quantity = ("", "", name) if name in logged else name.partition("/")
        if quantity not in logged or (phase and not any(name in row for view in views for row in view.rows)):
            columns = dict.fromkeys(key for view in views for row in view.rows for key in row if "/" in key)
            near = suggest(name, [*logged, *columns])
            hint = did_you_mean(near)
            raise UsageError(f"no run has logged {name!r}; it can be {', '.join([*logged, *columns])}{hint}")
        phases = [phase] if phase else ["", *PHASES]
        phases_of.setdefault(quantity, []).extend(phase for phase in phases if phase not in phases_of.get(quantity, []))
    return phases_of


def curve(view: View, quantity: str, phase: str, x: str = "epoch") -> Curve | None:
    """One column of a run against epoch, step or time; None where it was never logged."""
    key = f"{phase}/{quantity}" if phase else quantity
    rows = [row for row in view.rows if key in row and x in row]
    return Curve(phase, [row[x] for row in rows], [row[key] for row in rows]) if rows else None


def band(curves: Sequence[Curve]) -> Band:
    """The curves of one group, at every x that any of them has."""
    xs = sorted({x for curve in curves for x in curve.x})
    table = np.full((len(curves), len(xs)), np.nan)
    column = {x: index for index, x in enumerate(xs)}
    for row, curve in zip(table, curves, strict=True):
        for x, y in zip(curve.x, curve.y, strict=True):
            row[column[x]] = np.nan if y is None else y
    kept = np.isfinite(table).any(axis=0)
    table, x = table[:, kept], np.asarray(xs, float)[kept]
    return Band(x, np.nanmean(table, axis=0), np.nanstd(table, axis=0))


def spans_decades(curves: Sequence[Curve]) -> bool:
    """Whether a logarithmic axis shows more: all positive, over more than a factor of 50."""
    values: list[Any] = [y for line in curves for y in line.y if y is not None]
    return bool(values) and min(values) > 0 and max(values) / min(values) > 50


def leading(views: Sequence[View]) -> list[int]:
    """The places of the runs that stand out: all while there are colours, else the best by what they watched."""
    if len(views) <= COLOURS:
        return list(range(len(views)))
    ranked = []
    for index, view in enumerate(views):
        best = view.run.info.get("best") or {}
        key = next((key for key in best if "/" in key), "")
        value = best.get(key)
        if value is not None:
            ranked.append((-value if larger_is_better(key, view.metrics) else value, index))
    return [index for _, index in sorted(ranked)[:STANDING_OUT]] or list(range(STANDING_OUT))
