"""How near predicted values come to the true ones: predicted against true, what is left over, and the fitted curve of
networks with a single input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from backprop_cli.engine.arrays import Array
from backprop_cli.errors import UsageError
from backprop_cli.insight import style
from backprop_cli.insight.plots import PictureOptions
from backprop_cli.insight.view import View

POINTS = 2000  # of a cloud, evenly spaced
CURVE = 400  # points of the fitted curve
OUTPUTS = 4  # that are drawn


def draw(figure: Figure, views: Sequence[View], options: PictureOptions) -> None:
    """Draw for the first run predicted over true values, their differences, and the fitted curve where one input is
    all.

    Raises UsageError for outputs that are no numbers.
    """
    if len(views) != 1:
        raise UsageError("--kind regression draws one run at a time; expected one RUN")
    (view,) = views
    split, x, true, said = values(view, options.split)
    names = view.prepared.reading.output_names(true.shape[1])[:OUTPUTS]
    single = int(np.prod(x.shape[1:])) == 1
    figure.set_size_inches(4.2 * (3 if single else 2), 3.8)
    axes = list(figure.subplots(1, 3 if single else 2))
    for k, name in enumerate(names):
        color = style.color(k, len(names))
        axes[0].plot(true[:, k], said[:, k], ".", color=color, alpha=0.6, markersize=4, label=name)
        axes[1].plot(said[:, k], said[:, k] - true[:, k], ".", color=color, alpha=0.6, markersize=4)
    ends = [float(min(true.min(), said.min())), float(max(true.max(), said.max()))]
    axes[0].plot(ends, ends, "-", color="0.5", linewidth=1)
    axes[1].axhline(0, color="0.5", linewidth=1)
    axes[0].set(xlabel="true", ylabel="predicted", title=f"{style.shorten(view.label)}: {split}")
    axes[1].set(xlabel="predicted", ylabel="predicted − true", title="what is left over")
    if single:
        _curve(axes[2], view, x, true, names)
    if len(names) > 1:
        axes[0].legend(fontsize=8)


def values(view: View, split: str | None = None) -> tuple[str, Array, Array, Array]:
    """(split, raw inputs, true values, predicted values), the values (n, outputs).

    Raises UsageError for outputs that are no values beside targets.
    """
    reading, prepared = view.prepared.reading, view.prepared
    name, data = view.split(split, prepared.measured_split)
    if reading.kind != "values" or not reading.numeric or len(prepared.network.output_shape) > 1:
        raise UsageError(f"{view.run.id}: its answers are no numbers beside targets; --kind regression needs some")
    rows = np.arange(len(data)) if len(data) <= POINTS else np.linspace(0, len(data) - 1, POINTS).astype(int)
    some = view.rows_of(name, rows)
    said = view.outputs(some.x).reshape(len(rows), -1)
    return name, some.x, view.targets(some).reshape(said.shape), said


def _curve(ax: Any, view: View, x: Array, true: Array, names: Sequence[str]) -> None:
    flat = np.asarray(x, np.float64).reshape(-1)
    through = np.linspace(flat.min(), flat.max(), CURVE)
    y = view.outputs(through.astype(x.dtype).reshape(-1, *x.shape[1:])).reshape(CURVE, -1)
    column = (view.prepared.dataset.features or ["x"])[0]
    flat, through = (view.prepared.schema.in_unit(column, values) for values in (flat, through))
    for k in range(len(names)):
        color = style.color(k, len(names))
        ax.plot(flat, true[:, k], ".", color=color, alpha=0.4, markersize=4)
        ax.plot(through, y[:, k], "-", color=color)
    ax.set(xlabel=column, title="the fitted curve")
