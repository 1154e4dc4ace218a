"""Runs that differ in their seed alone, as one line with a band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from backprop_cli.insight.curves import Curve
from backprop_cli.insight.labels import labels
from backprop_cli.runs.directory import RunDirectory

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Band:
    """Mean ± one standard deviation over the runs that have a finite value there."""

    x: Array
    mean: Array
    std: Array


def by_seed(runs: Sequence[RunDirectory]) -> dict[str, list[int]]:
    """Label -> places of the runs that differ in nothing but the seed."""
    members: dict[str, list[int]] = {}
    for place, label in enumerate(labels(runs, besides=("seed",))):
        members.setdefault(label, []).append(place)
    return members


def band(curves: Sequence[Curve]) -> Band:
    """The curves of one group, at every x that any of them has."""
    xs = sorted({x for curve in curves for x in curve.x})
    table = np.full((len(curves), len(xs)), np.nan)
    column = {x: place for place, x in enumerate(xs)}
    for row, curve in zip(table, curves, strict=True):
        for x, y in zip(curve.x, curve.y, strict=True):
            row[column[x]] = np.nan if y is None else y
    kept = np.isfinite(table).any(axis=0)
    table, x = table[:, kept], np.asarray(xs, float)[kept]
    return Band(x, np.nanmean(table, axis=0), np.nanstd(table, axis=0))
