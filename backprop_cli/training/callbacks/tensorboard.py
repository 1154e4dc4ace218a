"""Rows of metrics as event files: `tensorboard --logdir runs` shows them, each run under its id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backprop_cli.errors import UsageError
from backprop_cli.training.loop import Callback, Loop, Row

POSITION = ("epoch", "step", "time")  # where a row belongs, and no measurement


def writer_class() -> Any:
    """tensorboardX's SummaryWriter. Raises UsageError where it is not installed."""
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise UsageError(
            "trainer.loggers: tensorboard needs tensorboardX; pip install 'backprop-cli[tensorboard]'"
        ) from None
    return SummaryWriter


class TensorBoard(Callback):
    """A scalar for every number of every row, at the step of the row.

    When a run goes on, TensorBoard is told to forget what was written after the checkpoint.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writer: Any = None

    def start(self, loop: Loop) -> None:
        resumed: dict[str, Any] = {"purge_step": loop.step + 1, "filename_suffix": f".{loop.step}"} if loop.step else {}
        self._writer = writer_class()(str(self.folder), flush_secs=10, **resumed)

    def epoch(self, loop: Loop, row: Row) -> None:
        for name, value in row.items():
            if name not in POSITION:
                self._writer.add_scalar(name, value, int(row["step"]))

    def end(self, loop: Loop, error: BaseException | None) -> None:
        if self._writer is not None:
            self._writer.close()
