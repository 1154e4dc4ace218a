"""How far a training is: a bar or a chart on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from math import inf

from rich.console import RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from backprop_cli.cli.chart import Course, chart
from backprop_cli.cli.ui.console import err, fields, note
from backprop_cli.cli.ui.tables import number
from backprop_cli.training.loop import Callback, Loop, Row

LINES_EVERY = 1.0  # seconds between two plain lines where epochs are short


class Lines(Callback):
    """Progress without a terminal: a line an epoch, at most one a second."""

    def start(self, loop: Loop) -> None:
        self._printed = 0.0

    def epoch(self, loop: Loop, row: Row) -> None:
        last = loop.epoch > loop.options.epochs or loop.stop_reason is not None
        if last or time.monotonic() - self._printed >= LINES_EVERY:
            self._printed = time.monotonic()
            fields(f"epoch {loop.epoch - 1}/{loop.options.epochs}", f"step {loop.step}", *numbers(row))

    def many_epochs(self, loop: Loop, rows: Sequence[Row]) -> None:
        self.epoch(loop, rows[-1])

    def end(self, loop: Loop, error: BaseException | None) -> None:
        if loop.stop_reason:
            note(f"stopped early: {loop.stop_reason}")


class _Progress(Progress):
    """A progress bar with something above it."""

    above: RenderableType | None = None

    def get_renderables(self) -> Iterable[RenderableType]:
        if self.above is not None:
            yield self.above
        yield from super().get_renderables()


class Bar(Lines):
    """Progress on a terminal: a bar with steps, loss, samples a second and time left, as far as they fit."""

    BAR = 12

    def start(self, loop: Loop) -> None:
        super().start(loop)
        epochs, steps = len(str(loop.options.epochs)), len(str(loop.total_steps))
        parts: list[tuple[int, ProgressColumn]] = [  # each with its width; those that fit into the terminal are shown
            (2 * epochs + 7, TextColumn("epoch {task.fields[epoch]}", table_column=Column(no_wrap=True))),
            (self.BAR, BarColumn(bar_width=self.BAR, table_column=Column(no_wrap=True))),
            (2 * steps + 1, MofNCompleteColumn(table_column=Column(no_wrap=True))),
            (8, TimeRemainingColumn(table_column=Column(no_wrap=True))),
        ]
        while len(parts) > 1 and sum(width + 1 for width, _ in parts) + len("loss 0.1234") >= err.width:
            parts.pop(1)
        self._taken = sum(width + 1 for width, _ in parts)
        self._progress = _Progress(
            *(part for _, part in parts),
            TextColumn("{task.fields[numbers]}", table_column=Column(ratio=1, no_wrap=True)),
            console=err,
            transient=True,
            refresh_per_second=8,
            expand=True,
        )
        self._task = self._progress.add_task(
            "", total=loop.total_steps, completed=loop.step, epoch=f"{loop.epoch}/{loop.options.epochs}", numbers=""
        )
        self._shown, self._began, self._first = 0.0, time.monotonic(), loop.step
        self._progress.start()

    def next_step(self, loop: Loop) -> float:
        return inf  # it looks at the time

    def step(self, loop: Loop, loss: float) -> None:
        moment = time.monotonic()
        if moment - self._shown < 0.1:
            return
        self._shown = moment
        speed = (loop.step - self._first) * loop.train.batch_size / max(moment - self._began, 1e-9)
        shown = [f"loss {loss:.4f}", *(f"{m.key} {m.result():.4f}" for m in loop.metrics), f"{speed:,.0f} samples/s"]
        while len("  ".join(shown)) > err.width - self._taken:
            shown.pop()
        epoch = f"{loop.epoch}/{loop.options.epochs}"
        self._progress.update(self._task, completed=loop.step, epoch=epoch, numbers="  ".join(shown))

    def many_epochs(self, loop: Loop, rows: Sequence[Row]) -> None:
        super().many_epochs(loop, rows)
        self.step(loop, rows[-1]["train/loss"])

    def end(self, loop: Loop, error: BaseException | None) -> None:
        self._progress.stop()
        super().end(loop, error)


class LiveChart(Bar):
    """The bar under a small chart of the losses: of every step, and on the validation split. The chart stays."""

    HEIGHT, WIDEST, NARROWEST = 9, 72, 10
    STYLES = ("cyan", "bold yellow")

    def start(self, loop: Loop) -> None:
        self._curves = {"train/loss": Course(), "validation/loss": Course()}
        super().start(loop)

    def step(self, loop: Loop, loss: float) -> None:
        self._curves["train/loss"].add(loop.step, loss)
        if time.monotonic() - self._shown >= 0.1:
            self._progress.above = self._chart(loop)
        super().step(loop, loss)

    def epoch(self, loop: Loop, row: Row) -> None:
        if "validation/loss" in row:
            self._curves["validation/loss"].add(row["step"], row["validation/loss"])
        super().epoch(loop, row)

    def end(self, loop: Loop, error: BaseException | None) -> None:
        super().end(loop, error)
        last = self._chart(loop)
        if last is not None:
            err.print(last)

    def many_epochs(self, loop: Loop, rows: Sequence[Row]) -> None:
        for row in rows[:-1]:
            self._curves["train/loss"].add(int(row["step"]), row["train/loss"])
        super().many_epochs(loop, rows)

    def _chart(self, loop: Loop) -> Text | None:
        width = min(self.WIDEST, err.width - 12)
        curves = {name: course.points for name, course in self._curves.items() if course.points}
        if width < self.NARROWEST or not curves:
            return None
        plain = not (err.encoding or "").lower().startswith("utf")
        text = Text(no_wrap=True)
        for row in chart(list(curves.values()), width, self.HEIGHT, plain):
            for part, owner in row:
                text.append(part, self.STYLES[owner] if owner >= 0 else "dim")
            text.append("\n")
        for style, (name, points) in zip(self.STYLES, curves.items(), strict=False):
            text.append(f"{name} {points[-1][1]:.4g}   ", style)
        return text.append(f"{loop.step:,} steps", "dim")


def summary(row: Row) -> str:
    """The numbers of an epoch in one line."""
    return "  ".join(numbers(row))


def numbers(row: Row) -> list[str]:
    """The numbers of an epoch, each with its name."""
    return [f"{name} {number(value)}" for name, value in row.items() if "/" in name]


def progress(live: bool = False) -> Callback:
    """The progress display that suits where stderr goes; `live` with a chart, on a terminal."""
    if not sys.stderr.isatty():
        return Lines()
    return LiveChart() if live else Bar()
