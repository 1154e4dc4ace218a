"""What a person sees: progress, tables, warnings. The only importer of rich."""

from __future__ import annotations

import csv
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO, cast

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from backprop_cli.cli.chart import Course, chart
from backprop_cli.cli.streams import Careful
from backprop_cli.runs.metrics_log import finite
from backprop_cli.training.loop import Callback, Loop, Row


class Reader(Console):
    """A console that leaves it to `main` to deal with a reader who left."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


if TYPE_CHECKING:
    from backprop_cli.sweep import Outcome
    from backprop_cli.trials import Trial

err = Console(file=cast(TextIO, Careful(sys.stderr)), highlight=False)
#: as wide as the terminal; into a pipe or a file, as wide as the longest row
out = Reader(highlight=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 1000)
LINES_EVERY = 1.0  # seconds between two plain lines where epochs are short


def warn(message: str) -> None:
    """A warning nobody can overlook."""
    err.print(Panel.fit(Text(message), title="WARNING", border_style="bold yellow"))


def note(message: str) -> None:
    """A line to stderr."""
    err.print(message, markup=False, soft_wrap=True)


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], right: Sequence[str] = ()) -> None:
    """A table on stdout."""
    cells = [[cell if isinstance(cell, str) else number(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(columns, *cells, strict=True)]
    if sum(widths) + 2 * len(widths) <= out.width and not any("\n" in cell for row in cells for cell in row):
        lines = ("  ".join(_padded(row, widths, [name in right for name in columns])) for row in [columns, *cells])
        out.print(Text(next(lines).rstrip(), style="bold"), soft_wrap=True)
        out.file.writelines(f"{line.rstrip()}\n" for line in lines)  # rich would take a second for 2,000 rows
    else:
        _folded(columns, cells, right)


def _padded(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> Iterator[str]:
    for cell, width, to_the_right in zip(row, widths, right, strict=True):
        space = " " * (width - cell_len(cell))
        yield space + cell if to_the_right else cell + space


def _folded(columns: Sequence[str], cells: Sequence[Sequence[str]], right: Sequence[str]) -> None:
    """A table wider than the terminal: its cells take several lines."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for i, column in enumerate(columns):
        justify: Any = "right" if column in right else "left"
        made.add_column(Text(column.replace("/", "/\n")), justify=justify, overflow="fold", no_wrap=i == 0)
    for row in cells:
        made.add_row(*map(Text, row))
    if out.is_terminal:
        out.print(made)
    else:
        with out.capture() as text:
            out.print(made)
        out.out("\n".join(line.rstrip() for line in text.get().splitlines()))


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], format: str) -> None:
    """Rows on stdout as table, csv, json (a list of objects) or jsonl."""
    if format == "table":
        numeric = [name for i, name in enumerate(columns) if any(isinstance(row[i], int | float) for row in rows)]
        table(columns, rows, right=numeric)
    elif format == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([["" if cell is None else cell for cell in row] for row in rows])
    else:
        objects = [dict(zip(columns, row, strict=True)) for row in rows]
        if format == "json":
            print(json.dumps(finite(objects), indent=2))
        else:
            for each in objects:
                print(json.dumps(finite(each)))


def sections(made: Sequence[tuple[str, Sequence[str]]], wait: bool = False) -> None:
    """Headings with their lines on a terminal: equations dim, results bright. `wait` for Enter after each."""
    for i, (heading, lines) in enumerate(made):
        if i and wait and not _enter():
            return
        out.print(Text(heading, style="bold"))
        out.print(Text("─" * min(cell_len(heading), out.width), style="dim"))
        for line in lines:
            if line.startswith("    "):
                out.print(Text(line, style="dim italic"))
            else:
                left, equals, result = line.rpartition(" = ")
                out.print(Text.assemble(left, equals, (result, "bold cyan" if equals else "")))
        out.print()


def _enter() -> bool:
    """Wait for Enter; False if something else was typed. Where nobody can type, go on."""
    if not sys.stdin.isatty():
        return True
    err.print("Enter: go on, q: end ", end="", style="dim")
    return sys.stdin.readline() == "\n"


def brief(value: Any) -> str:
    """Nested values in one line."""
    if isinstance(value, dict):
        return "  ".join(f"{key} {brief(each)}" for key, each in value.items())
    if isinstance(value, list):
        return " ".join(map(brief, value))
    return number(value)


def number(value: Any) -> str:
    """A number as people read it."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e5 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def size(count: int) -> str:
    """Bytes as people read them."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"


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
        err.print(f"{task}{share:<20}", markup=False, end="\r" if err.is_terminal and not over else "\n")
    if over:
        del _tasks[task]


_tasks: dict[str, tuple[float, float]] = {}  # when each began, and when it was last shown


class Lines(Callback):
    """Progress without a terminal: a line an epoch, at most one a second."""

    def start(self, loop: Loop) -> None:
        self._printed = 0.0

    def epoch(self, loop: Loop, row: Row) -> None:
        last = loop.epoch > loop.options.epochs or loop.stop_reason is not None
        if last or time.monotonic() - self._printed >= LINES_EVERY:
            self._printed = time.monotonic()
            note(f"epoch {loop.epoch - 1}/{loop.options.epochs}  step {loop.step}  {summary(row)}")

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
    """Progress on a terminal: a bar with steps, loss, samples a second and time left."""

    def start(self, loop: Loop) -> None:
        super().start(loop)
        self._progress = _Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}"),
            TimeRemainingColumn(),
            console=err,
            transient=True,
            refresh_per_second=8,
        )
        self._task = self._progress.add_task(
            "", total=loop.total_steps, completed=loop.step, epoch=f"{loop.epoch}/{loop.options.epochs}", numbers=""
        )
        self._shown, self._began, self._first = 0.0, time.monotonic(), loop.step
        self._progress.start()

    def step(self, loop: Loop, loss: float) -> None:
        moment = time.monotonic()
        if moment - self._shown < 0.1:
            return
        self._shown = moment
        speed = (loop.step - self._first) * loop.train.batch_size / max(moment - self._began, 1e-9)
        numbers = [f"loss {loss:.4f}", *(f"{m.key} {m.result():.4f}" for m in loop.metrics)]
        epoch = f"{loop.epoch}/{loop.options.epochs}"
        text = f"{' '.join(numbers)}  {speed:,.0f} samples/s"
        self._progress.update(self._task, completed=loop.step, epoch=epoch, numbers=text)

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


class SweepLines:
    """A sweep without a terminal: a line for every finished trial, with what came of it and the time left."""

    def __init__(self, total: int, jobs: int) -> None:
        self.total, self.jobs, self.done = total, jobs, 0
        self.began = time.monotonic()
        self.shares: dict[str, float] = {}  # of the trials that run

    def __enter__(self) -> SweepLines:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing to put away."""

    @property
    def left(self) -> str:
        """Estimated from the epochs that are done."""
        done = self.done + sum(self.shares.values())
        return f"{(time.monotonic() - self.began) * (self.total - done) / done:.0f} s left" if done else ""

    def started(self, trial: Trial) -> None:
        """Nothing to say yet."""

    def epoch(self, trial: Trial, row: Row, epochs: int) -> None:
        self.shares[trial.id] = row["epoch"] / epochs

    def said(self, text: str) -> None:
        warn(text)

    def finished(self, outcome: Outcome) -> None:
        self.end(outcome)
        text = outcome.error or brief({key: each for key, each in outcome.best.items() if "/" in key})
        note(f"[{self.done}/{self.total}] {outcome.trial}  {outcome.status}  {text}  {self.left}")

    def end(self, outcome: Outcome) -> None:
        self.done += 1
        self.shares.pop(outcome.trial.id, None)


class SweepTable(SweepLines):
    """A sweep on a terminal: what runs, how far it is, and what was best so far."""

    SHOWN = 5  # of the finished ones

    def __init__(self, total: int, jobs: int, keys: Sequence[str]) -> None:
        super().__init__(total, jobs)
        self._keys = keys
        self._running: dict[str, list[Any]] = {}
        self._ended: list[Outcome] = []
        self._live = Live(console=err, transient=True, refresh_per_second=4, get_renderable=self._table)

    def __enter__(self) -> SweepTable:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def started(self, trial: Trial) -> None:
        self._running[trial.id] = [trial.id, *trial.varied.values(), "starting", ""]

    def epoch(self, trial: Trial, row: Row, epochs: int) -> None:
        super().epoch(trial, row, epochs)
        share = f"epoch {row['epoch']}/{epochs}"
        self._running[trial.id] = [trial.id, *trial.varied.values(), share, summary(row)]

    def finished(self, outcome: Outcome) -> None:
        self.end(outcome)
        self._running.pop(outcome.trial.id, None)
        self._ended.append(outcome)
        if outcome.error:
            note(f"{outcome.trial}  {outcome.status}: {outcome.error}")

    def _table(self) -> Table:
        from backprop_cli.sweep import ranked

        failed = sum(each.status != "completed" for each in self._ended)
        title = f"{self.done} of {self.total} trials done" + (f", {failed} not completed" if failed else "")
        made = Table("trial", *self._keys, "", "", box=None, pad_edge=False, title=f"{title}  {self.left}")
        for row in self._running.values():
            made.add_row(*row)
        for _, each in ranked(self._ended)[: self.SHOWN]:
            number = brief({key: value for key, value in each.best.items() if "/" in key})
            made.add_row(each.trial.id, *each.trial.varied.values(), each.status, number, style="dim")
        return made


def sweep_progress(total: int, jobs: int, keys: Sequence[str]) -> SweepLines:
    """The display of a sweep that suits where stderr goes."""
    return SweepTable(total, jobs, keys) if err.is_terminal else SweepLines(total, jobs)


def summary(row: Row) -> str:
    """The numbers of an epoch in one line."""
    return "  ".join(f"{name} {number(value)}" for name, value in row.items() if "/" in name)


def progress(live: bool = False) -> Callback:
    """The progress display that suits where stderr goes; `live` with a chart, on a terminal."""
    if not sys.stderr.isatty():
        return Lines()
    return LiveChart() if live else Bar()
