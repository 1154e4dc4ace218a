"""Which pixels an answer depends on: pictures beside the size of the loss's gradient with respect to each pixel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from backprop_cli.commands.trained import load_run
from backprop_cli.engine.arrays import Array
from backprop_cli.errors import UsageError
from backprop_cli.insight import style
from backprop_cli.insight.plots import PictureOptions
from backprop_cli.insight.view import View
from backprop_cli.training.threads import limited

SHOWN = 4  # examples, unless one is asked for
LEAST = 4  # pixels along each side


def draw(figure: Figure, views: Sequence[View], options: PictureOptions) -> None:
    """Draw for the first run some pictures of a split, each beside the size of the loss's gradient at every pixel.

    Raises UsageError for inputs that are no pictures, and for an example that does not exist.
    """
    if len(views) != 1:
        raise UsageError("--kind saliency draws one run at a time; expected one RUN")
    (view,) = views
    prepared = view.prepared
    split, data = view.split(options.split, prepared.measured_split)
    if options.sample is not None and not 0 <= options.sample < len(data):
        raise UsageError(f"there is no sample {options.sample}; the split {split} has the samples 0 to {len(data) - 1}")
    rows = np.arange(min(SHOWN, len(data))) if options.sample is None else np.array([options.sample])
    pictures, maps = saliency(view, split, rows)
    names = _answers(view, split, rows)
    for part, i in style.panels(figure, list(range(len(rows))), 4.6, 2.6):
        left, right = part.subplots(1, 2)
        left.imshow(pictures[i], cmap="gray")
        right.imshow(maps[i], cmap=style.SCALE)
        left.set_title(f"sample {rows[i]}: {names[i]}", fontsize=9)
        right.set_title("|∂L/∂x|", fontsize=9)
        for ax in (left, right):
            ax.axis("off")


def saliency(view: View, split: str, rows: Array) -> tuple[Array, Array]:
    """Pictures (n, H, W[, 3]) as the network sees them, scaled to 0…1, and the largest |∂L/∂x| of each pixel's channels
    (n, H, W), L being the loss with the true target. Simonyan, Vedaldi & Zisserman 2014, arXiv:1312.6034

    Raises UsageError where inputs are no pictures.
    """
    shape, kind = view.prepared.network.input_shape, view.prepared.network.input_dtype.kind
    channels = shape[2] if len(shape) == 3 else 1
    if kind != "f" or len(shape) not in (2, 3) or min(shape[:2]) < LEAST or channels not in (1, 3):
        raise UsageError(f"{view.run.id}: inputs of shape {shape} are no pictures; --kind saliency needs some")
    prepared, _ = load_run(view.run, view.checkpoint, input_gradient=True, kernels="numpy")
    network = prepared.network
    with limited(network, len(rows)):
        x, target = (example.copy() for example in view.examples(split, rows))
        network.loss(network.forward(x, copy=False), target)
        network.backward()
    slopes = np.abs(network.input_gradients).reshape(len(rows), *shape[:2], channels).max(axis=-1)
    low, high = x.min(), x.max()
    shown = ((x - low) / ((high - low) or 1)).reshape(len(rows), *shape[:2], channels)
    return (shown if channels == 3 else shown[..., 0]), slopes


def _answers(view: View, split: str, rows: Array) -> list[str]:
    reading, data = view.prepared.reading, view.prepared.dataset.splits[split]
    said = reading.answers(view.outputs(np.asarray(data.x[rows])))
    return [style.shorten(str(token), 20) for token in said]
