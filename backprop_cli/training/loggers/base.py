"""The base of every logger, and the callback that feeds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backprop_cli.registry import Component, register
from backprop_cli.training.loop import Callback, Loop, Row


def logger(name: str, *aliases: str) -> Any:
    """Class decorator: registers a logger under `trainer: {loggers: [name]}`."""
    return register("logger", name, *aliases)


@dataclass(kw_only=True)
class Logger(Component):
    """Takes each row of metrics.jsonl while a run goes on: {"epoch", "step", "time", "train/loss", …}."""

    def check(self) -> None:
        """Raise UsageError where something that it needs is missing; asked before anything is written."""

    def open(self, folder: Path, step: int) -> None:
        """A run begins in this directory, or goes on after `step`: rows after that are written again."""

    def write(self, row: Mapping[str, Any]) -> None:
        """An epoch was measured."""
        raise NotImplementedError  # every logger has its own

    def close(self) -> None:
        """The run is over."""


class Loggers(Callback):
    """Passes every row on to the loggers of a run."""

    def __init__(self, loggers: Sequence[Logger], folder: Path) -> None:
        self.loggers, self.folder = loggers, folder
        self._opened: list[Logger] = []

    def start(self, loop: Loop) -> None:
        for each in self.loggers:
            each.open(self.folder, loop.step)
            self._opened.append(each)

    def epoch(self, loop: Loop, row: Row) -> None:
        for each in self._opened:
            each.write(row)

    def end(self, loop: Loop, error: BaseException | None) -> None:
        for each in self._opened:
            each.close()
