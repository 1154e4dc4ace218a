"""Histograms side by side, one for each of many arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from backprop_cli.insight import style

COLUMNS = 4
BINS = 40


def size(count: int) -> tuple[float, float]:
    """Width and height, in inches, of a figure of `count` histograms."""
    return 2.5 * min(count, COLUMNS) + 0.6, 2.1 * -(-count // COLUMNS) + 0.9


def histograms(figure: Figure | SubFigure, arrays: Mapping[str, npt.NDArray[Any]], xlabel: str) -> None:
    """A panel an array; not-finite numbers are left out and counted in the title."""
    columns = min(len(arrays), COLUMNS)
    axes = list(figure.subplots(-(-len(arrays) // columns), columns, squeeze=False).flat)
    for i, (ax, (name, array)) in enumerate(zip(axes, arrays.items(), strict=False)):
        values = array.reshape(-1).astype(float)
        kept = values[np.isfinite(values)]
        if kept.size:
            ax.hist(kept, bins=min(BINS, max(5, kept.size // 2)), color=style.BLUE)
        bad = f", {values.size - kept.size:,} not finite" if kept.size < values.size else ""
        spread = f"\nmean {kept.mean():.2g}, std {kept.std():.2g}{bad}" if kept.size else bad
        ax.set_title(f"{style.shorten(name, 24)}{spread}", fontsize=9)
        ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        if i % columns == 0:
            ax.set_ylabel("count")
    for ax in axes[len(arrays) :]:
        ax.set_axis_off()
    figure.supxlabel(xlabel, fontsize=10)
