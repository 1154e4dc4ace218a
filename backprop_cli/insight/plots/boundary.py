"""Where a network of two inputs draws the line between its classes, with the data."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, SubFigure

from backprop_cli.data.dataset import Split
from backprop_cli.engine.reading import Reading
from backprop_cli.errors import UsageError
from backprop_cli.insight import style
from backprop_cli.insight.plane import axis, grid, winners, yes
from backprop_cli.insight.plots import PictureOptions
from backprop_cli.insight.view import View

Array = npt.NDArray[np.floating]
CELLS = 240  # of the grid, along each axis
POINTS = 1500  # examples drawn


def draw(figure: Figure, views: Sequence[View], options: PictureOptions) -> None:
    """Draw for each run the plane of its two inputs, coloured by the network's answers, and examples of a split on it.

    Raises UsageError for a network with other inputs.
    """
    for view in views:
        check(view)
    for part, view in style.panels(figure, views, 6.0, 4.8):
        panel(part, view, options.split)


def check(view: View) -> None:
    """Raise UsageError for a network whose plane cannot be drawn."""
    prepared = view.prepared
    if prepared.dataset.input_shape != (2,):
        size = int(np.prod(prepared.dataset.input_shape))
        shape = f" of shape {prepared.dataset.input_shape}" if len(prepared.dataset.input_shape) > 1 else ""
        possible = (
            "confusion, activations or weights" if prepared.reading.has_classes else "loss, activations or weights"
        )
        raise UsageError(
            f"{view.run.id}: a boundary is drawn in the plane of 2 inputs, this network has {size}{shape}; "
            f"try --kind {possible}"
        )


def panel(figure: Figure | SubFigure, view: View, split: str | None) -> None:
    """The plane in the units of the data, coloured by what the network says there."""
    name, data = view.split(split)
    rows = np.unique(np.linspace(0, len(data) - 1, min(len(data), POINTS)).astype(int))
    points = Split(np.asarray(data.x)[rows], np.asarray(data.y)[rows])
    ax = figure.subplots()
    first, second = axis(points.x[:, 0], CELLS), axis(points.x[:, 1], CELLS)
    plane = grid(first, second).astype(points.x.dtype)
    z, target = view.outputs(plane), view.targets(points)
    reading = view.prepared.reading
    if not reading.has_classes:
        _values(figure, ax, first, second, z.reshape(len(plane), -1)[:, 0], points, target)
    elif reading.kind == "binary":
        _two_classes(figure, ax, first, second, z, points, target, reading)
    else:
        _classes(figure, ax, first, second, z, points, target, reading)
    ax.grid(visible=False)
    names = view.prepared.dataset.features or ["x₁", "x₂"]
    for along, column in zip((ax.xaxis, ax.yaxis), names, strict=True):
        along.set_label_text(style.shorten(column))
        if not np.array_equal(view.prepared.schema.in_unit(column, first), first):  # scaled: ticks in its own unit
            along.set_major_formatter(partial(_tick, view, column))
    what = "decision boundary" if reading.has_classes else "output"
    ax.set_title(f"{style.shorten(view.label)}: {what} and {name} data")


def _tick(view: View, name: str, value: float, _: int | None = None) -> str:
    return f"{float(view.prepared.schema.in_unit(name, np.array(value))):.4g}"


def _image(ax: Axes, first: Array, second: Array, cells: Array, **options: object) -> object:
    extent = (first[0], first[-1], second[0], second[-1])
    return ax.imshow(cells, extent=extent, origin="lower", aspect="auto", interpolation="bilinear", **options)  # type: ignore[arg-type]  # matplotlib's own keywords


def _scatter(ax: Axes, points: Split, ids: Array, names: Sequence[str]) -> None:
    markers = "osD^vP*X"
    for k in np.unique(ids).astype(int):
        of = points.x[ids == k]
        ax.scatter(
            of[:, 0], of[:, 1], s=22, marker=markers[k % len(markers)], color=style.color(k, len(names)),
            edgecolors="white", linewidths=0.7, label=style.in_legend(style.shorten(f"class {names[k]}")),
        )  # fmt: skip


def _two_classes(
    figure: Figure | SubFigure,
    ax: Axes,
    first: Array,
    second: Array,
    z: Array,
    points: Split,
    target: Array,
    reading: Reading,
) -> None:
    values, middle, reach = yes(reading, z)
    cells = values.reshape(CELLS, CELLS)
    image = _image(ax, first, second, cells, cmap=style.DIVERGING, vmin=middle - reach, vmax=middle + reach, alpha=0.75)
    ax.contour(first, second, cells, levels=[middle], colors="black", linewidths=1.4)
    names = reading.class_names(1)
    _scatter(ax, points, reading.truth(target, z[: len(points)]), names)
    what = "score" if reading.scale == "scores" else "probability"
    figure.colorbar(image, ax=ax, label=f"output: {what} of class {names[-1]}")  # type: ignore[arg-type]  # an AxesImage
    style.legend_below(figure, ax)


def _classes(
    figure: Figure | SubFigure,
    ax: Axes,
    first: Array,
    second: Array,
    z: Array,
    points: Split,
    target: Array,
    reading: Reading,
) -> None:
    """Each class in its colour, paler where the network is less sure."""
    z, winner, sure = winners(reading, z)
    k, names = z.shape[-1], reading.class_names(z.shape[-1])
    tints = np.array([to_rgb(style.color(i, k)) for i in range(k)])
    strength = (0.08 + 0.5 * sure)[:, None]
    rgb = 1 - strength * (1 - tints[winner])
    _image(ax, first, second, rgb.reshape(CELLS, CELLS, 3))
    cells = winner.reshape(CELLS, CELLS)
    for i in range(k):
        if (cells == i).any() and (cells != i).any():
            margin = z[:, i] - np.delete(z, i, axis=1).max(axis=1)
            ax.contour(first, second, margin.reshape(CELLS, CELLS), levels=[0], colors="black", linewidths=1.2)
    _scatter(ax, points, reading.truth(target, z[: len(points)]), names)
    style.legend_below(figure, ax, title="colour: predicted class, stronger where surer")


def _values(
    figure: Figure | SubFigure, ax: Axes, first: Array, second: Array, z: Array, points: Split, target: Array
) -> None:
    target = target.reshape(len(points), -1)[:, 0]
    low, high = min(z.min(), target.min()), max(z.max(), target.max())
    image = _image(ax, first, second, z.reshape(CELLS, CELLS), cmap=style.SCALE, vmin=low, vmax=high)
    ax.scatter(
        points.x[:, 0], points.x[:, 1], c=target, s=22, cmap=style.SCALE, vmin=low, vmax=high,
        edgecolors="white", linewidths=0.7,
    )  # fmt: skip
    figure.colorbar(image, ax=ax, label="output; in the dots, the target")  # type: ignore[arg-type]  # an AxesImage
