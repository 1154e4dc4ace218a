"""Histograms of every parameter."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from backprop_cli.errors import UsageError
from backprop_cli.insight import histograms, style
from backprop_cli.insight.plots import PictureOptions
from backprop_cli.insight.view import View


def draw(figure: Figure, views: Sequence[View], options: PictureOptions) -> None:
    """Draw for each run a histogram of every parameter. Raises UsageError for a network without parameters."""
    for view in views:
        if not view.network.parameters:
            raise UsageError(f"{view.run.id}: the network has no parameters; try --kind activations")
    width, height = histograms.size(max(len(view.network.parameters) for view in views))
    for part, view in style.panels(figure, views, width, height):
        histograms.histograms(part, view.network.parameters, "value of the parameter")
        part.suptitle(f"{style.shorten(view.label, 60)}: parameters at {view.checkpoint}")
