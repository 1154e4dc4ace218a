"""What the first layer looks for: the filters of a first convolution, or the weights of a dense layer on images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure, SubFigure

from backprop_cli.engine.arrays import Array
from backprop_cli.errors import UsageError
from backprop_cli.insight import style
from backprop_cli.insight.filters import filters
from backprop_cli.insight.plots import PictureOptions
from backprop_cli.insight.view import View

SHOWN = 64
COLUMNS = 8


def draw(figure: Figure, views: Sequence[View], options: PictureOptions) -> None:
    """Draw for each run the filters of the first layer that sees images. Raises UsageError where none does."""
    panels = [(view, *_filters(view)) for view in views]
    rows = max(-(-min(len(kernels), SHOWN) // COLUMNS) for _, _, kernels in panels)
    for part, (view, layer, kernels) in style.panels(figure, panels, 6.4, 1.3 + 0.75 * rows):
        panel(part, view, layer, kernels)


def _filters(view: View) -> tuple[str, Array]:
    """(layer, filters (O, kh, kw, C)) of the first layer that sees images. Raises UsageError where none does."""
    images = filters(view.network)
    if images is None:
        raise UsageError(
            f"{view.run.id}: there are no filters to show: the first layer with weights is no 2-D convolution, and the "
            f"inputs of shape {view.network.input_shape} are no images; try --kind weights"
        )
    return images


def panel(figure: Figure | SubFigure, view: View, layer: str, kernels: Array) -> None:
    """A tile a filter: in colour for three channels, else blue below 0 and orange above."""
    shown = kernels[:SHOWN]
    rows = -(-len(shown) // COLUMNS)
    axes = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
    limit = float(np.abs(shown).max()) or 1.0
    image = None
    for ax, kernel in zip(axes, shown, strict=False):
        if kernel.shape[-1] == 3:
            ax.imshow(kernel / (2 * limit) + 0.5)
        else:
            image = ax.imshow(kernel.mean(axis=-1), cmap=style.DIVERGING, vmin=-limit, vmax=limit)
    for ax in axes:
        ax.set_axis_off()
    if image is not None:
        figure.colorbar(image, ax=axes, label="weight", shrink=0.8)
    size = "×".join(map(str, kernels.shape[1:]))
    first = f"the first {SHOWN} of " if len(kernels) > SHOWN else ""
    mean = ", mean over channels" if kernels.shape[-1] not in (1, 3) else ""
    figure.suptitle(f"{style.shorten(view.label)}, {layer}: {first}{len(kernels)} filters of {size}{mean}", fontsize=11)
