from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Annotated, Any

from backprop_cli.registry import Doc, slot
from backprop_cli.training.loggers.base import Logger, logger, measured, package


@logger("trackio", "Trackio")
class Trackio(Logger):
    """A run in Trackio's database on this machine (TRACKIO_DIR says where), with every number of every row.

    `trackio show --project bp` shows them. When a run goes on, so does that of Trackio; rows that were
    written after its checkpoint are there twice. Needs trackio: pip install 'backprop-cli[trackio]'
    """

    project: Annotated[str, Doc("the project that the run belongs to")] = "bp"

    run: Any = slot()

    def check(self) -> None:
        package("trackio", self.type_name)

    def outside(self) -> list[Path]:
        return [Path(os.environ.get("TRACKIO_DIR") or "~/.cache/huggingface/trackio").expanduser()]

    def open(self, folder: Path, step: int) -> None:
        trackio = package("trackio", self.type_name)
        with redirect_stdout(StringIO()):  # stdout is for results
            self.run = trackio.init(
                self.project, folder.name, resume="allow" if step else "never", auto_log_cpu=False, auto_log_gpu=False
            )

    def write(self, row: Mapping[str, Any]) -> None:
        self.run.log(measured(row), step=int(row["step"]))

    def close(self) -> None:
        with redirect_stdout(StringIO()):
            package("trackio", self.type_name).finish()
