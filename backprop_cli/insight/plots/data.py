"""Each column of a table against the target, before anything is trained: of files and configs, not of runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import ConciseDateFormatter
from matplotlib.figure import Figure

from backprop_cli.data.look import Look
from backprop_cli.data.look_column import Column
from backprop_cli.errors import UsageError
from backprop_cli.insight import style
from backprop_cli.insight.plots import PictureOptions

SHOWN = 24  # columns
POINTS = 2000  # of a scatter
BARS = 8  # categories, and classes told apart
BINS = 24
OTHER = "(other)"


def draw(figure: Figure, views: Sequence[Any], options: PictureOptions) -> None:
    """Draw a panel for each column of one table: its values, by the class or the value of the first target.

    Raises UsageError for several tables, and for one without columns that can be drawn.
    """
    looks: Sequence[Look] = views
    if len(looks) != 1:
        raise UsageError("--kind data draws one table at a time; expected one FILE or CONFIG")
    (look,) = looks
    target = look.column(look.targets[0]) if look.targets else None
    drawn = [
        column for column in look.columns if column is not target and column.type not in ("text", "id", "constant")
    ]
    drawn = ([target] if target else []) + drawn
    if not drawn:
        raise UsageError(f"{look.name}: has no column that a picture could show")
    if len(drawn) > SHOWN:
        options.note(f"{len(drawn)} columns; the first {SHOWN} are drawn")
        drawn = drawn[:SHOWN]
    across = min(4, len(drawn))
    down = -(-len(drawn) // across)
    figure.set_size_inches(3.1 * across, 2.3 * down + 0.4)
    axes = list(figure.subplots(down, across, squeeze=False).flat)
    for ax, column in zip(axes, drawn, strict=False):
        _panel(ax, column, None if column is target else target)
        ax.set_title(style.shorten(column.name, 28) + (" (target)" if column is target else ""), fontsize=9)
        ax.tick_params(labelsize=7)
        ax.xaxis.get_offset_text().set_fontsize(7)
        if column.range is not None and column.type != "date":
            ax.locator_params(axis="x", nbins=5)
    for ax in axes[len(drawn) :]:
        ax.set_visible(False)
    if any(ax.get_legend_handles_labels()[1] for ax in axes) and target:
        style.legend_below(figure, *axes[: len(drawn)], title=target.name, fontsize=8)
    figure.suptitle(f"{style.shorten(look.name)}: {look.rows:,} rows", fontsize=11)


def _panel(ax: Axes, column: Column, target: Column | None) -> None:
    numeric = column.range is not None
    if column.type == "date":  # matplotlib, too, counts days since 1970
        ax.xaxis_date()
        dates: Any = ConciseDateFormatter  # without types
        ax.xaxis.set_major_formatter(dates(ax.xaxis.get_major_locator()))
    if target is None or target.range is None or target.type == "boolean":
        groups = _groups(column, target)
        (_histogram if numeric else _bars)(ax, groups)
    elif numeric:
        x, y = _numbers(column), _numbers(target)
        rows = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        rows = rows[:: max(1, len(rows) // POINTS)]
        ax.scatter(x[rows], y[rows], s=4, alpha=0.4, color=style.BLUE, linewidths=0)
        ax.set_ylabel(style.shorten(target.name, 20), fontsize=7)
    else:
        names, y = _texts(column), _numbers(target)
        order = _most(names)
        means = [float(np.nanmean(y[names == name])) for name in order]
        ax.barh([style.shorten(name, 14) for name in order], means, color=style.BLUE)
        ax.invert_yaxis()
        ax.set_xlabel(f"mean {style.shorten(target.name, 20)}", fontsize=7)


def _groups(column: Column, target: Column | None) -> dict[str, Any]:
    """The values of a column by the class of the target."""
    values = _numbers(column) if column.range is not None else _texts(column)
    if target is None:
        return {"": values}
    classes = _texts(target)
    order = _most(classes)
    return {name: values[classes == name] for name in order}


def _histogram(ax: Axes, groups: dict[str, Any]) -> None:
    parts = [values[np.isfinite(values)] for values in groups.values()]
    colors = [style.color(i, len(parts)) for i in range(len(parts))]
    names = [style.in_legend(name) for name in groups]
    ax.hist(parts, bins=BINS, stacked=True, color=colors, label=names)


def _bars(ax: Axes, groups: dict[str, Any]) -> None:
    order = _most(np.concatenate(list(groups.values())))
    left = np.zeros(len(order))
    for i, (name, values) in enumerate(groups.items()):
        counts = np.array([(values == value).sum() for value in order])
        labels = [style.shorten(value, 14) for value in order]
        ax.barh(labels, counts, left=left, color=style.color(i, len(groups)), label=style.in_legend(name) or None)
        left += counts
    ax.invert_yaxis()


def _numbers(column: Column) -> Any:
    import pyarrow as pa

    return column.values.cast(pa.float64()).to_numpy()


def _texts(column: Column) -> Any:
    """The values as text, the rarer ones under one name."""
    values = np.array(["" if value is None else str(value) for value in column.values.to_pylist()], object)
    names, counts = np.unique(values.astype(str), return_counts=True)
    kept = set(names[np.argsort(-counts, kind="stable")][:BARS])
    return np.array([value if value in kept else OTHER for value in values], object)


def _most(values: Any) -> list[str]:
    """Different values, the most frequent first."""
    names, counts = np.unique(values.astype(str), return_counts=True)
    return [str(name) for name in names[np.argsort(-counts, kind="stable")]]
