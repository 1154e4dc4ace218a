"""The norm of each layer's gradient over the training; without diagnostics, at the checkpoint."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from backprop_cli.errors import UsageError
from backprop_cli.insight import style
from backprop_cli.insight.curves import AXES
from backprop_cli.insight.flow import Flow, Moment, explain_snapshot, recorded, snapshot
from backprop_cli.insight.plots import PictureOptions
from backprop_cli.insight.view import View

NAMED = 16  # layers up to which each is in the legend


def draw(figure: Figure, views: Sequence[View], options: PictureOptions) -> None:
    """Draw for each run the gradient norm of every layer: a line over the training, or a bar where none was recorded.

    Raises UsageError for `time` as x.
    """
    if options.x == "time":
        raise UsageError("diagnostics are recorded by step, not by time; use --x epoch or --x step")
    flows = [recorded(view, "gradient_norm", options.x) for view in views]
    height = 4.4 if any(flow.x for flow in flows) else 1.8 + 0.34 * max(len(snapshot(view)) for view in views)
    for part, (view, flow) in style.panels(figure, list(zip(views, flows, strict=True)), 6.4, height):
        ax = part.subplots()
        if flow.x:
            course(part, ax, flow)
            ax.set_xlabel(AXES[options.x])
            title = "gradient flow"
        else:
            options.note(explain_snapshot(view))
            moment(ax, snapshot(view))
            title = f"gradients of one batch at {view.checkpoint}"
        ax.set_title(f"{style.shorten(view.label)}: {title}")


def course(figure: Figure | SubFigure, ax: Axes, flow: Flow) -> None:
    """A line a layer, dark at the input and light at the output."""
    for i, (name, values) in enumerate(flow.y.items()):
        y = np.array([np.nan if value is None or value <= 0 else value for value in values], float)
        label = style.in_legend(style.shorten(name, 24)) if len(flow.y) <= NAMED or i in (0, len(flow.y) - 1) else None
        marker = "." if len(y) <= 25 else None
        ax.plot(flow.x, y, color=style.shade(i, len(flow.y)), label=label, marker=marker)
    style.logarithmic(ax.yaxis)
    ax.set_ylabel("norm of the gradient, ‖∂loss/∂W‖")
    style.legend_below(figure, ax, title="layers, from the input (dark) to the output (light)", fontsize=8)


def moment(ax: Axes, layers: Sequence[Moment]) -> None:
    """A bar a layer, the first on top; on a logarithmic scale, where vanishing is seen as a slope."""
    norms = [layer.gradient_norm for layer in layers]
    tints = [style.shade(i, len(layers)) for i in range(len(layers))]
    ax.barh(range(len(layers)), norms, color=tints)
    ax.set_yticks(range(len(layers)), [style.shorten(layer.name, 24) for layer in layers])
    ax.invert_yaxis()
    positive = [norm for norm in norms if norm > 0 and np.isfinite(norm)]
    if positive:
        style.logarithmic(ax.xaxis)
        ax.set_xlim(10 ** np.floor(np.log10(min(positive)) - 0.5), max(positive) * 4)
    for i, norm in enumerate(norms):
        ax.text(norm if norm > 0 else 0, i, f" {norm:.2g}", va="center", fontsize=8)
    ax.grid(visible=False, axis="y")
    ax.set_xlabel("norm of the gradient, ‖∂loss/∂W‖")
