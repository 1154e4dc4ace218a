"""The loss of single steps against the learning rate of each: the picture of a range test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from backprop_cli.errors import UsageError
from backprop_cli.insight import style
from backprop_cli.insight.plots import PictureOptions
from backprop_cli.insight.view import View

SMOOTHING = 0.9  # share of the mean so far that is kept at each step


def draw(figure: Figure, views: Sequence[View], options: PictureOptions) -> None:
    """Draw for each run the loss of its steps over their learning rate, recorded and smoothed; the smallest is circled.

    Raises UsageError where steps were not recorded.
    """
    figure.set_size_inches(6.4, 4.4)
    ax = figure.subplots()
    lowest, top = np.inf, -np.inf
    for index, view in enumerate(views):
        rates, losses = measured(view)
        even = smoothed(losses)
        tint = style.color(index, len(views))
        label = style.in_legend(style.shorten(view.label, 60)) if len(views) > 1 else "loss of a step"
        ax.plot(rates, losses, color=tint, alpha=0.3, linewidth=0.8, label=None if len(views) > 1 else label)
        ax.plot(rates, even, color=tint, label=label if len(views) > 1 else "smoothed")
        best = int(np.argmin(even))
        ax.plot(rates[best], even[best], "o", color=tint, markersize=7, fillstyle="none")
        options.note(f"{view.label}: the smoothed loss is smallest at a learning rate of {rates[best]:.3g}")
        lowest, top = min(lowest, losses.min()), max(top, losses[0], even[0])
    style.logarithmic(ax.xaxis)
    room = (top - lowest) * 0.5 or 1.0
    ax.set_ylim(lowest - room / 5, top + room)  # what has diverged is beyond the picture
    ax.set_xlabel("learning rate")
    ax.set_ylabel("loss")
    ax.set_title("learning-rate range test" if len(views) > 1 else style.shorten(views[0].label, 60))
    style.legend_below(figure, ax)


def measured(view: View) -> tuple[np.ndarray, np.ndarray]:
    """Learning rate and loss of the recorded steps, by rising rate. Raises UsageError where there are none."""
    rows = [row for row in view.diagnostics if row.get("loss") is not None and row.get("learning_rate")]
    pairs = np.array(sorted((row["learning_rate"], row["loss"]) for row in rows)).reshape(-1, 2)
    if len(np.unique(pairs[:, 0])) < 3:
        raise UsageError(
            f"{view.run.id} has no steps with different learning rates on record; train it with "
            "--set optimizer.schedule=range_test --set 'trainer.diagnostics={every: 1}'"
        )
    return pairs[:, 0], pairs[:, 1]


def smoothed(values: np.ndarray) -> np.ndarray:
    """The exponential moving average, corrected for its start as Adam's moments are."""
    mean, out = 0.0, np.empty(len(values))
    for index, value in enumerate(values):
        mean = SMOOTHING * mean + (1 - SMOOTHING) * float(value)
        out[index] = mean / (1 - SMOOTHING ** (index + 1))
    return out
