"""The scales of a column that `dataset.columns` asks for: standard, robust, log, quantile; and the way back."""

from __future__ import annotations

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.files.plan import Plan


def spread(values: Array, robust: bool) -> tuple[float, float]:
    """Middle and width of values (N,); a width of 0 counts as 1. Where the quartiles coincide, as those of most binary
    columns do, the width is half the range."""
    if not robust:
        center, width = float(values.mean()), float(values.std())
        return center, width if width > 1e-14 * abs(center) else 1.0
    low, center, high = np.quantile(values, (0.25, 0.5, 0.75))
    width = float(high - low) or float(values.max() - values.min()) / 2
    return float(center), width or 1.0


def scaled(values: Array, plan: Plan) -> Array:
    """Values (N,) of a column scaled by what the plan has learnt for it, float64 (N,); as they are without a scale."""
    if plan.scale == "quantile":
        knots, ranks = np.asarray(plan.knots), np.linspace(0, 1, len(plan.knots))
        up = np.interp(values, knots, ranks)  # equal knots: the middle of their ranks, from both sides
        return np.asarray(0.5 * (up - np.interp(-values, -knots[::-1], -ranks[::-1])))
    if plan.scale == "none":
        return values
    return np.asarray(((log(values) if plan.scale == "log" else values) - plan.center) / plan.spread)


def unscaled(values: Array, plan: Plan | None) -> Array:
    """Values (…) of x in the unit of their column, in their shape: `scaled` undone; quantiles end at the last knots."""
    if plan is None or plan.scale == "none":
        return values
    if plan.scale == "quantile":
        return np.asarray(np.interp(values, np.linspace(0, 1, len(plan.knots)), plan.knots))
    wide = np.asarray(values, np.float64) * plan.spread + plan.center
    return np.asarray(np.sign(wide) * np.expm1(np.abs(wide)) if plan.scale == "log" else wide)


def log(values: Array) -> Array:
    """sign(v) log(1 + |v|) of each value v, in the shape of the values."""
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))
