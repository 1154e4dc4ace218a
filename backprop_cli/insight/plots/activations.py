"""Histograms of what each layer gives out, over a batch of data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from backprop_cli.insight import histograms, style
from backprop_cli.insight.plots import PictureOptions
from backprop_cli.insight.view import PROBE, View


def draw(figure: Figure, views: Sequence[View], options: PictureOptions) -> None:
    """Draw for each run a histogram of every layer's outputs, on up to 256 examples of a split.

    Raises UsageError for a split that the data do not have.
    """
    panels = [(view, *_outputs(view, options.split)) for view in views]
    width, height = histograms.size(max(len(values) for _, _, values in panels))
    for part, (view, split, values) in style.panels(figure, panels, width, height):
        histograms.histograms(part, values, "output of a unit")
        count = len(next(iter(values.values())))
        part.suptitle(f"{style.shorten(view.label, 60)}: activations, {count} examples of {split}, {view.checkpoint}")


def _outputs(view: View, split: str | None) -> tuple[str, dict[str, npt.NDArray[np.floating]]]:
    """The outputs of all layers but those that only reshape, in inference mode."""
    split, _ = view.split(split)
    x, _ = view.examples(split, slice(0, PROBE))
    network = view.network
    output = network.forward(x)
    values = {node.name: network.outputs[node.name].copy() for node in network.nodes if not node.layer.view}
    values[network.nodes[-1].name] = output
    return split, values
