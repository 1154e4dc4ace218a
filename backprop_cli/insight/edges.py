"""The connections of a network as they are drawn: a line for each weight, a band, or an arc past other layers."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.layers.dense import Dense
from backprop_cli.insight import style
from backprop_cli.insight.layout import Spot

RADIUS = 0.3
WIDE = 0.62  # half the width of a layer drawn as a whole
NUMBERED = 18  # edges between two layers up to which each bears its weight,
LINE = 0.13  # if no two of these numbers are closer than this: the height of their line, in inches


def weights(spot: Spot) -> Array:
    """The weights into a dense layer."""
    assert spot.node is not None and isinstance(spot.node.layer, Dense)
    return spot.node.layer.W


def weighted(spots: dict[str, Spot], spot: Spot) -> bool:
    """Whether each weight into the node is an edge of its own."""
    if spot.node is None or not isinstance(spot.node.layer, Dense) or spot.units is None:
        return False
    return any(source.units is not None for source in sources(spots, spot))


def edges(ax: Axes, spots: dict[str, Spot], spot: Spot, largest: float) -> None:
    """Draw all connections into a node; `largest` is the size of the largest weight in the picture."""
    for source in sources(spots, spot):
        if spot.depth - source.depth > 1:  # past other columns: an arc above them
            start, end = (source.x, source.top - 0.1), (spot.x, spot.top - 0.1)
            rad = -2 * arc(source, spot) / (spot.x - source.x)
            arrow = FancyArrowPatch(start, end, connectionstyle=f"arc3,rad={rad}", arrowstyle="-|>", mutation_scale=12,
                                    color=style.GREY, linewidth=1.3, zorder=1)  # fmt: skip
            ax.add_patch(arrow)
        elif source.units is not None and spot.units is not None and weighted(spots, spot):
            _weight_lines(ax, source, spot, weights(spot), largest)
        elif source.units is not None and spot.units is not None and len(source.units) == len(spot.units):
            lines = [[(source.x, a), (spot.x, b)] for a, b in zip(source.units, spot.units, strict=True)]
            ax.add_collection(LineCollection(lines, colors=style.GREY, linewidths=0.9, zorder=1))
        else:
            _band(ax, source, spot)


def sources(spots: dict[str, Spot], spot: Spot) -> list[Spot]:
    """What a node reads, as far as it is drawn."""
    return [spots[name] for name in (spot.node.inputs if spot.node else ()) if name in spots]


def arc(source: Spot, spot: Spot) -> float:
    """How far, in inches, the arc of a connection past other columns rises; 0 between neighbours."""
    columns = spot.depth - source.depth
    return min(0.32 * columns, 1.3) if columns > 1 else 0.0


def numbered_at(source: Spot, spot: Spot) -> float | None:
    """How far along the edges between two layers, from 0 to 1, their numbers are easiest to tell apart; None where two
    of them would overlap everywhere, or where there are too many."""
    starts, ends = np.array(source.units or []), np.array(spot.units or [])
    if not 0 < starts.size * ends.size <= NUMBERED:
        return None
    margin = (RADIUS + 0.25) / (spot.x - source.x)  # the nodes, and half the width of a number
    shares = np.linspace(margin, 1 - margin, 41)
    heights = np.sort([np.add.outer(starts * (1 - share), ends * share).ravel() for share in shares], axis=1)
    gaps = np.diff(heights, axis=1).min(axis=1, initial=1.0)
    return float(shares[gaps.argmax()]) if gaps.max() >= LINE else None


def _weight_lines(ax: Axes, source: Spot, spot: Spot, weights: Array, largest: float) -> None:
    lines, tints, widths = [], [], []
    at = numbered_at(source, spot)
    for i, a in enumerate(source.units or []):
        for j, b in enumerate(spot.units or []):
            share = abs(float(weights[i, j])) / largest
            lines.append([(source.x, a), (spot.x, b)])
            tints.append((*to_rgb(style.VERMILLION if weights[i, j] > 0 else style.BLUE), 0.25 + 0.75 * share))
            widths.append(0.5 + 3.2 * share)
            if at is not None:
                ax.text(source.x + at * (spot.x - source.x), a + at * (b - a), f"{weights[i, j]:.2f}", fontsize=7,
                        ha="center", va="center", zorder=2,
                        bbox={"facecolor": style.paper(), "edgecolor": "none", "pad": 0.6, "alpha": 0.85})  # fmt: skip
    ax.add_collection(LineCollection(lines, colors=tints, linewidths=widths, zorder=1))


def _band(ax: Axes, source: Spot, spot: Spot) -> None:
    """All connections between two layers as one area, as tall at each end as the layer there."""
    left, right = source.height / 2 - 0.15, spot.height / 2 - 0.15
    inner = [source.x + (RADIUS if source.units else WIDE), spot.x - (RADIUS if spot.units else WIDE)]
    xs = [inner[0], inner[1], inner[1], inner[0]]
    ys = [source.y + left, spot.y + right, spot.y - right, source.y - left]
    ax.fill(xs, ys, color=style.GREY, alpha=0.22, linewidth=0, zorder=0)
