"""The picture of a lesson: a kind of `bp plot` over its runs, or what its own code draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from backprop_cli.runs.directory import RunDirectory


def picture(
    runs: Mapping[str, RunDirectory],
    path: Path,
    *,
    kind: str = "loss",
    draw: Callable[..., None] | None = None,
    **options: Any,
) -> Path:
    """Write the picture of the runs of one seed, each called by its short name.

    `draw(figure, runs)` takes the place of a kind of plot.
    """
    from matplotlib.figure import Figure

    from backprop_cli.insight import plots, style
    from backprop_cli.insight.view import View

    with style.styled():
        if draw is not None:
            figure = Figure(layout="constrained")
            draw(figure, runs)
        else:
            views = [View(run) for run in runs.values()]
            for view, name in zip(views, runs, strict=True):
                view.label = name
            figure = plots.draw(kind, views, plots.PictureOptions(**options))
        style.save(figure, path)
    return path
