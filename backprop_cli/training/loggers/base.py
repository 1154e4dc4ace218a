"""The base of every logger, and the callback that feeds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from backprop_cli.errors import UsageError, plugin_failure
from backprop_cli.registry import Component, register
from backprop_cli.training.loop import Callback, Loop, Row
from backprop_cli.untrusted.consent import require_for


def logger(name: str, *aliases: str) -> Any:
    """Class decorator: registers a logger under `trainer: {loggers: [name]}`."""
    return register("logger", name, *aliases)


def check(loggers: Sequence[Logger], folder: Path) -> None:
    """Whether these loggers of a config in this folder can and may write. Raises UsageError, ConsentError."""
    for logger in loggers:
        require_for(folder, logger.outside())
        logger.check()


POSITION = ("epoch", "step", "time")  # where a row belongs, and no measurement


@dataclass(kw_only=True)
class Logger(Component):
    """Takes each row of metrics.jsonl while a run goes on: {"epoch", "step", "time", "train/loss", …}."""

    def check(self) -> None:
        """Raise UsageError where something that it needs is missing; asked before anything is written."""

    def outside(self) -> list[Path]:
        """The files and folders outside of the run that its options say it writes to."""
        return []

    def open(self, folder: Path, step: int) -> None:
        """A run begins in this directory, or goes on after `step`: rows after that are written again."""

    def write(self, row: Mapping[str, Any]) -> None:
        """An epoch was measured."""
        raise NotImplementedError  # every logger has its own

    def close(self) -> None:
        """The run is over."""


def measured(row: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a row that were measured, by name."""
    return {name: value for name, value in row.items() if name not in POSITION and isinstance(value, int | float)}


def package(module: str, logger: str) -> Any:
    """The module of a package that a logger needs. Raises UsageError where it is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        raise UsageError(
            f"trainer.loggers: {logger} needs {error.name or module}; pip install 'backprop-cli[{logger}]'"
        ) from None


class Loggers(Callback):
    """Passes every row on to the loggers of a run.

    The rows of a run are those of metrics.jsonl, which is written first. A logger that fails is left out from then
    on, which is said once; neither the training nor the other loggers end with it.
    """

    def __init__(self, loggers: Sequence[Logger], folder: Path, warn: Callable[[str], None]) -> None:
        self.loggers, self.folder, self.warn = loggers, folder, warn
        self._open: list[Logger] = []

    def start(self, loop: Loop) -> None:
        self._open = [
            logger for logger in self.loggers if self._done(logger, partial(logger.open, self.folder, loop.step))
        ]

    def epoch(self, loop: Loop, row: Row) -> None:
        self._open = [logger for logger in self._open if self._done(logger, partial(logger.write, row))]

    def many_epochs(self, loop: Loop, rows: Sequence[Row]) -> None:
        for row in rows:
            self.epoch(loop, row)

    def end(self, loop: Loop, error: BaseException | None) -> None:
        for logger in self._open:
            self._done(logger, logger.close)

    def _done(self, logger: Logger, work: Callable[[], None]) -> bool:
        """Whether a logger did its work; if not, it is said."""
        try:
            work()
        except Exception as error:  # of whatever package
            said = plugin_failure(error) or f"{type(error).__name__}: {error}"
            self.warn(
                f"the logger {logger.type_name} has failed and gets nothing more ({said}); "
                f"every row is in {self.folder / 'metrics.jsonl'}"
            )
            return False
        return True
