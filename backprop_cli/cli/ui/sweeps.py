"""How far a sweep is: a live table on a terminal, else a line for every trial."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rich.live import Live
from rich.table import Table

from backprop_cli.cli.ui.console import err, note, warn
from backprop_cli.cli.ui.progress import summary
from backprop_cli.cli.ui.tables import brief
from backprop_cli.training.loop import Row

if TYPE_CHECKING:
    from backprop_cli.commands.sweep.outcomes import Outcome
    from backprop_cli.commands.sweep.trials import Trial

    Rank = Callable[[Sequence[Outcome]], tuple[str | None, list[tuple[float, Outcome]]]]


class SweepLines:
    """A sweep without a terminal: a line for every finished trial, with what came of it and the time left."""

    def __init__(self, total: int | None) -> None:
        self.total, self.done = total, 0
        self.began = time.monotonic()
        self.shares: dict[str, float] = {}  # of the trials that run

    def __enter__(self) -> SweepLines:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing to close."""

    @property
    def left(self) -> str:
        """The estimated time left, `12 s left`, from the epochs that are done; empty where that is not known."""
        done = self.done + sum(self.shares.values())
        if self.total is None:  # a budget of time
            return ""
        return f"{(time.monotonic() - self.began) * (self.total - done) / done:.0f} s left" if done else ""

    def started(self, trial: Trial) -> None:
        """Nothing to say yet."""

    def epoch(self, trial: Trial, row: Row, epochs: int) -> None:
        """Note that a trial has done `row["epoch"]` of its `epochs` epochs."""
        self.shares[trial.id] = row["epoch"] / epochs

    def said(self, text: str) -> None:
        """Print a warning on stderr."""
        warn(text)

    def finished(self, outcome: Outcome) -> None:
        """Print a line on stderr: the trial, its status, its error or best metric, and the estimated seconds left."""
        self.end(outcome)
        text = outcome.error or _best(outcome)
        note(f"[{self._count}] {outcome.trial}  {outcome.status}  {text}  {self.left}")

    @property
    def _count(self) -> str:
        return str(self.done) if self.total is None else f"{self.done}/{self.total}"

    def end(self, outcome: Outcome) -> None:
        """Count a trial as done."""
        self.done += 1
        self.shares.pop(outcome.trial.id, None)


class SweepTable(SweepLines):
    """A sweep on a terminal: what runs, how far it is, and what was best so far."""

    SHOWN = 5  # of the finished ones

    def __init__(self, total: int | None, keys: Sequence[str], rank: Rank) -> None:
        super().__init__(total)
        self._keys, self._rank = keys, rank
        self._running: dict[str, list[Any]] = {}
        self._ended: list[Outcome] = []
        self._live = Live(console=err, transient=True, refresh_per_second=4, get_renderable=self._table)

    def __enter__(self) -> SweepTable:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def started(self, trial: Trial) -> None:
        self._running[trial.id] = [trial.id, *self._values(trial), "starting", ""]

    def epoch(self, trial: Trial, row: Row, epochs: int) -> None:
        super().epoch(trial, row, epochs)
        share = f"epoch {row['epoch']}/{epochs}"
        self._running[trial.id] = [trial.id, *self._values(trial), share, summary(row)]

    def finished(self, outcome: Outcome) -> None:
        self.end(outcome)
        self._running.pop(outcome.trial.id, None)
        self._ended.append(outcome)
        if outcome.error and outcome.status != "pruned":
            note(f"{outcome.trial}  {outcome.status}: {outcome.error}")

    def _values(self, trial: Trial) -> list[str]:
        return [trial.varied.get(key, "") for key in self._keys]

    def _table(self) -> Table:
        failed = sum(outcome.status not in ("completed", "pruned") for outcome in self._ended)
        title = f"{self._count.replace('/', ' of ')} trials done" + (f", {failed} not completed" if failed else "")
        table = Table("trial", *self._keys, "", "", box=None, pad_edge=False, title=f"{title}  {self.left}")
        for row in self._running.values():
            table.add_row(*row)
        for _, outcome in self._rank(self._ended)[1][: self.SHOWN]:
            table.add_row(outcome.trial.id, *self._values(outcome.trial), outcome.status, _best(outcome), style="dim")
        return table


def _best(outcome: Outcome) -> str:
    """What a trial's best epoch was chosen by, under the name that it has in `bp runs ls`."""
    return brief({f"best.{key}": value for key, value in outcome.best.items() if "/" in key})


def sweep_progress(total: int | None, keys: Sequence[str], rank: Rank) -> SweepLines:
    """The display of a sweep that suits where stderr goes. `rank` gives the trials that have ended, the best first."""
    return SweepTable(total, keys, rank) if err.is_terminal else SweepLines(total)
