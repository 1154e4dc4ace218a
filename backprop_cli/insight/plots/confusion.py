"""Which class is taken for which: the confusion matrix of a split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure, SubFigure

from backprop_cli.insight import style
from backprop_cli.insight.plots import Options
from backprop_cli.insight.view import Answers, View

WRITTEN = 20  # classes up to which each count is written


def draw(figure: Figure, views: Sequence[View], options: Options) -> None:
    answers = [view.answers(options.split) for view in views]
    side = min(3.6 + 0.36 * max(len(each.classes) for each in answers), 9)
    for part, (view, each) in style.panels(figure, list(zip(views, answers, strict=True)), side + 0.9, side):
        panel(part, view, each)


def panel(figure: Figure | SubFigure, view: View, found: Answers) -> None:
    """One matrix: rows are true classes, colours the share of the row."""
    ax = figure.subplots()
    matrix, k = found.matrix, len(found.classes)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    image = ax.imshow(share, cmap=style.SCALE, vmin=0, vmax=1)
    if k <= WRITTEN:
        cell = 0.62 * 72 * figure.bbox.width / figure.dpi / k  # points
        for i in range(k):
            for j in range(k):
                ink = style.ink_on(style.SCALE(share[i, j]))
                size = min(9, cell / (0.75 * len(str(matrix[i, j]))))
                ax.text(j, i, str(matrix[i, j]), ha="center", va="center", color=ink, fontsize=size)
        names = [style.shorten(str(name), 14) for name in found.classes]
        ax.set_xticks(range(k), names, rotation=45 if max(map(len, names)) > 3 else 0)
        ax.set_yticks(range(k), names)
    ax.grid(visible=False)
    ax.tick_params(length=0)
    ax.set_xlabel("predicted class")
    ax.set_ylabel("true class")
    figure.colorbar(image, ax=ax, label="share of the true class", shrink=0.8)
    title = f"{style.shorten(view.label)}: {found.split}, {len(found.truth):,} examples"
    ax.set_title(f"{title}\naccuracy {found.accuracy:.4f}")
