"""The confusion matrix of a split: true classes against predicted ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure, SubFigure

from backprop_cli.insight import style
from backprop_cli.insight.plots import PictureOptions
from backprop_cli.insight.view import SplitAnswers, View

DARK = 0.6  # share of colour from which on numbers are white
WRITTEN = 20  # classes up to which each count is written


def draw(figure: Figure, views: Sequence[View], options: PictureOptions) -> None:
    """Draw for each run the confusion matrix of a split. Raises UsageError without classes, or with too many."""
    answers = [view.answers(options.split) for view in views]
    side = min(3.6 + 0.36 * max(len(answer.classes) for answer in answers), 9)
    for part, (view, own) in style.panels(figure, list(zip(views, answers, strict=True)), side + 0.9, side):
        panel(part, view, own)


def panel(figure: Figure | SubFigure, view: View, answers: SplitAnswers) -> None:
    """One matrix: rows are true classes; what is right is blue, mistakes are orange, by their share of the row.

    Mistakes go by the root of their share: one in a hundred is to be seen. Cells are more or less transparent, so that
    they suit a dark page, too.
    """
    ax = figure.subplots()
    matrix, k = answers.matrix, len(answers.classes)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    right = np.eye(k, dtype=bool)
    cells = np.where(right[..., None], to_rgba(style.BLUE), to_rgba(style.VERMILLION))
    cells[..., 3] = np.where(right, share, np.sqrt(share))
    ax.imshow(cells)
    ax.spines[:].set_visible(True)
    if k <= WRITTEN:
        cell = 0.62 * 72 * figure.bbox.width / figure.dpi / k  # points
        for i in range(k):
            for j in range(k):
                ink = style.ink() if cells[i, j, 3] < DARK else "#ffffff"
                ink = ink if matrix[i, j] else style.GREY
                size = min(9, cell / (0.75 * len(str(matrix[i, j]))))
                ax.text(j, i, str(matrix[i, j]), ha="center", va="center", color=ink, fontsize=size)
        names = [style.shorten(str(name), 14) for name in answers.classes]
        ax.set_xticks(range(k), names, rotation=45 if max(map(len, names)) > 3 else 0)
        ax.set_yticks(range(k), names)
    ax.grid(visible=False)
    ax.tick_params(length=0)
    ax.set_xlabel("predicted class")
    ax.set_ylabel("true class")
    title = f"{style.shorten(view.label)}: {answers.split}, {len(answers.truth):,} examples"
    ax.set_title(f"{title}\naccuracy {answers.accuracy:.4f}; blue: right, orange: predicted as another class")
