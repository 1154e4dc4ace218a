"""`bp plot`: one file per kind of picture, found by being there.

Each module has `draw(figure, views, options)`; the first line of its docstring says what it shows.
Whoever adds a file adds a `--kind`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING

from backprop_cli.errors import UsageError, expected

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from backprop_cli.data.look import Look
    from backprop_cli.insight.view import View


def _silent(message: str) -> None:
    """Drop a note."""


@dataclass(frozen=True)
class PictureOptions:
    """What a picture is asked for; each kind takes what it needs."""

    metrics: Sequence[str] = field(default_factory=list)  # `loss`, or `validation/loss`; none means all
    x: str = "epoch"  # epoch, step or time
    split: str | None = None
    sample: int | None = None
    group: bool = False  # loss: one line, with a band, for runs that differ in their seed alone
    note: Callable[[str], None] = _silent  # where remarks go that are no errors


def kinds() -> list[str]:
    """The names of all kinds."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def draw(kind: str, views: Sequence[View] | Sequence[Look], options: PictureOptions | None = None) -> Figure:
    """The picture of one or more runs, to be saved with `style.save` within `style.styled()`; of a table for `data`.

    Raises UsageError for an unknown kind, and for runs that such a picture cannot be made of.
    """
    if kind not in kinds():
        raise UsageError(f"unknown kind of picture {kind!r}; {expected(kind, kinds())}")
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    import_module(f"{__name__}.{kind}").draw(figure, views, options or PictureOptions())
    return figure
