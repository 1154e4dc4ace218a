from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backprop_cli.registry import slot
from backprop_cli.training.loggers.base import Logger, logger, measured, package


@logger("tensorboard", "TensorBoard")
class TensorBoard(Logger):
    """Event files in the run directory: a scalar for every number of every row, at the step of the row.

    `tensorboard --logdir runs` shows them, each run under its id. When a run goes on, TensorBoard is told to forget
    what was written after the checkpoint. Needs tensorboardX: pip install 'backprop-cli[tensorboard]'
    """

    writer: Any = slot()

    def check(self) -> None:
        package("tensorboardX", self.type_name)

    def open(self, folder: Path, step: int) -> None:
        resumed: dict[str, Any] = {"purge_step": step + 1, "filename_suffix": f".{step}"} if step else {}
        self.writer = package("tensorboardX", self.type_name).SummaryWriter(str(folder), flush_secs=10, **resumed)

    def write(self, row: Mapping[str, Any]) -> None:
        for name, value in measured(row).items():
            self.writer.add_scalar(name, value, int(row["step"]))

    def close(self) -> None:
        self.writer.close()
