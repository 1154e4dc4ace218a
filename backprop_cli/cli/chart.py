"""A small chart of the loss in characters, drawn again and again while a network trains."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

Point = tuple[float, float]
KEPT = 128  # points of a curve; where there are more, neighbours become their mean
DECADES = 20.0  # the largest loss over the smallest, from which on the scale is logarithmic
BRAILLE = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # Unicode, chapter 21.1: rows of two dots


@dataclass
class Course:
    """A curve that grows; its early part is thinned out, so that it never takes more room or time."""

    points: list[Point] = field(default_factory=list)
    _each: int = 1  # values that make a point
    _waiting: list[Point] = field(default_factory=list)

    def add(self, x: float, y: float) -> None:
        """Append a value. One that is not finite is left out."""
        if not math.isfinite(y):
            return
        self._waiting.append((x, y))
        if len(self._waiting) >= self._each:
            self.points.append(_mean(self._waiting))
            self._waiting = []
        if len(self.points) >= KEPT:
            self.points = [_mean(self.points[i : i + 2]) for i in range(0, KEPT, 2)]
            self._each *= 2


def _mean(points: Sequence[Point]) -> Point:
    return sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)


def chart(
    curves: Sequence[Sequence[Point]], width: int, height: int, plain: bool = False
) -> list[list[tuple[str, int]]]:
    """Rows of (text, number of the curve it belongs to; -1 for axes), `width` columns of curve beside the scale.

    In Braille dots, two by four a character; `plain` for terminals that have none. Where curves meet, the later one
    is seen. No rows where there is nothing to draw.
    """
    values = [y for curve in curves for _, y in curve]
    if not values:
        return []
    log = min(values) > 0 and max(values) > DECADES * min(values)
    scaled = [[(x, math.log10(y) if log else y) for x, y in curve] for curve in curves]
    box = _box(scaled)
    dots = [[[0] * width for _ in range(height)] for _ in curves]
    for grid, curve in zip(dots, scaled, strict=True):
        _draw(grid, curve, box)
    top, bottom = (10 ** box[k] if log else box[k] for k in (3, 2))
    labels = {0: f"{top:.3g}", height - 1: f"{bottom:.3g}"}
    margin = max(map(len, labels.values()))
    rows = []
    for i in range(height):
        row = [(f"{labels.get(i, ''):>{margin}} {'|' if plain else '│'}", -1)]
        for j in range(width):
            owner = max((k for k, grid in enumerate(dots) if grid[i][j]), default=-1)
            seen = dots[owner][i][j] if owner >= 0 else 0
            sign = "*+ox"[owner % 4] if plain and seen else chr(0x2800 + seen) if seen else " "
            row.append((sign, owner))
        rows.append(row)
    return rows


def _box(curves: Sequence[Sequence[Point]]) -> tuple[float, float, float, float]:
    """(left, right, bottom, top) of all points."""
    xs, ys = ([point[k] for curve in curves for point in curve] for k in (0, 1))
    return min(xs), max(xs), min(ys), max(ys)


def _draw(grid: list[list[int]], curve: Sequence[Point], box: tuple[float, float, float, float]) -> None:
    """Set the dots of a curve, joined by straight lines."""
    left, right, bottom, top = box
    columns, lines = 2 * len(grid[0]) - 1, 4 * len(grid) - 1

    def place(point: Point) -> tuple[int, int]:
        across = (point[0] - left) / ((right - left) or 1)
        up = (point[1] - bottom) / ((top - bottom) or 1)
        return round(across * columns), round((1 - up) * lines)

    places = [place(point) for point in curve]
    for (x, y), (to_x, to_y) in zip(places, places[1:] or places, strict=False):
        steps = max(abs(to_x - x), abs(to_y - y), 1)
        for k in range(steps + 1):
            column, line = round(x + (to_x - x) * k / steps), round(y + (to_y - y) * k / steps)
            grid[line // 4][column // 2] |= BRAILLE[line % 4][column % 2]
