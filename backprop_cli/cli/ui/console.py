"""The two streams, warnings, and the progress of slow work."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from typing import TextIO, cast

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.control import Control
from rich.panel import Panel
from rich.segment import Segment
from rich.text import Text

from backprop_cli.cli.streams import Careful
from backprop_cli.errors import visible


class Shown(Console):
    """A console on which no text steers the terminal: control characters in it are written out. rich's own control
    codes are no text."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else visible(text), style, control)


class Reader(Shown):
    """One that leaves a broken pipe to `main`."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


err = Shown(file=cast(TextIO, Careful(getattr(sys.stderr, "rich_proxied_file", sys.stderr))), highlight=False)
#: as wide as the terminal; into a pipe or a file, as wide as the longest row
out = Reader(highlight=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 1000)


def warn(message: str) -> None:
    """A warning nobody can overlook."""
    err.print(Panel.fit(Text(visible(message)), title="WARNING", border_style="bold yellow"))


def note(message: str) -> None:
    """A line to stderr."""
    err.print(message, markup=False, soft_wrap=True)


def fields(*parts: str, between: str = "  ") -> None:
    """A line to stderr; on a terminal that is narrower, several, broken between two of the texts."""
    width = err.width if err.is_terminal or "COLUMNS" in os.environ else None
    line = ""
    for text in parts:
        if line and width is not None and cell_len(f"{line}{between}{text}") > width:
            note(line + between.rstrip())
            line = f"  {text}"
        else:
            line = f"{line}{between}{text}" if line else text
    note(line)


def loading(task: str, done: int, total: int | None) -> None:
    """A line for work that takes more than a second, at most one a second: how far it is, and the time left."""
    moment = time.monotonic()
    began, shown = _tasks.setdefault(task, (moment, moment))
    over = total is not None and done >= total
    if moment - shown >= 1.0 or (over and shown > began):
        _tasks[task] = began, moment
        share = f" {done:,}"
        if total:
            left = (moment - began) * (total - done) / max(done, 1)
            share = f" {100 * done / total:.0f} %" + ("" if over else f", {left:.0f} s left")
        stay = err.is_terminal and not over  # on this line, for the next share
        err.print(f"{task}{share:<20}", markup=False, end="" if stay else "\n")
        if stay:
            err.control(Control.move_to_column(0))
    if over:
        del _tasks[task]


_tasks: dict[str, tuple[float, float]] = {}  # when each began, and when it was last shown
