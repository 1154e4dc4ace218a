"""Curves as a picture can show them: few points, every extreme among them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from backprop_cli.browser.board.log import LogReader

POINTS = 800  # of a curve


def thin(y: npt.NDArray[np.float64], points: int = POINTS) -> npt.NDArray[np.intp]:
    """Indices that draw the same picture: of each of `points`/2 pieces the smallest and the largest value, the first
    and the last of all, and the first that is not finite in its piece."""
    if len(y) <= points:
        return np.arange(len(y))
    width = -(-len(y) // (points // 2))
    starts = np.arange(0, len(y), width)
    grid = np.full(len(starts) * width, np.nan)  # the last piece may be shorter
    grid[: len(y)] = y
    lost = np.isnan(grid)
    low = np.where(lost, np.inf, grid).reshape(-1, width).argmin(axis=1)
    high = np.where(lost, -np.inf, grid).reshape(-1, width).argmax(axis=1)
    lost[len(y) :] = False
    pieces = lost.reshape(-1, width)
    first = (starts + pieces.argmax(axis=1))[pieces.any(axis=1)]
    return np.unique(np.concatenate([starts + low, starts + high, first, [0, len(y) - 1]]))


def curve(log: LogReader, name: str, points: int = POINTS) -> dict[str, list[float | None]]:
    """One column: {"epoch", "step", "time", "y"}, equally long; null where a value is not finite."""
    column = log.columns[name]
    y, rows = np.array(column.values), np.array(column.rows)
    kept = thin(y, points)
    at = {x: np.array(values)[rows[kept]] for x, values in log.x.items()}
    return {**{x: plain(values) for x, values in at.items()}, "y": plain(y[kept])}


def heat(log: LogReader, quantity: str, times: int = 160) -> dict[str, Any]:
    """Layer × time: {"layers", "step", "epoch", "z"}, of each piece of time the largest value."""
    prefix = f"{quantity} of "
    layers = {name.removeprefix(prefix): column for name, column in log.columns.items() if name.startswith(prefix)}
    count = len(log.x["step"])
    edges = np.unique(np.linspace(0, count, min(times, count) + 1).astype(int))
    ends = edges[1:] - 1
    z = []
    for column in layers.values():
        full = np.full(count, np.nan)
        full[np.array(column.rows, int)] = column.values
        z.append(plain(np.fmax.reduceat(full, edges[:-1]) if count else full))  # passes over NaN
    x = {name: plain(np.array(log.x[name])[ends]) for name in ("step", "epoch")} if count else {"step": [], "epoch": []}
    return {"layers": list(layers), **x, "z": z}


def plain(values: npt.NDArray[np.float64]) -> list[float | None]:
    """Numbers for JSON, six digits of each; None for what is not finite."""
    return [float(f"{value:.6g}") if math.isfinite(value) else None for value in values.tolist()]
