from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from backprop_cli.registry import Doc, slot
from backprop_cli.runs.plain import failure
from backprop_cli.training.loggers.base import Logger, logger, measured, package


@logger("wandb", "WandB", "WandbLogger")
class WandB(Logger):
    """Weights & Biases, offline: files under wandb/ in the run directory, with every number of every row.

    Nothing leaves this machine; `wandb sync RUN/wandb/offline-run-*` sends it when you want that. A run that goes on
    writes a second folder under the same id. Needs wandb: pip install 'backprop-cli[wandb]'
    """

    project: Annotated[str, Doc("the project that `wandb sync` sends it to")] = "bp"

    run: Any = slot()

    def check(self) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        package("wandb", self.type_name)

    def open(self, folder: Path, step: int) -> None:
        self.check()
        if (folder / "wandb").is_symlink():
            raise failure(f"cannot use {folder / 'wandb'}", OSError(errno.ELOOP, os.strerror(errno.ELOOP)))
        wandb = package("wandb", self.type_name)
        quiet = wandb.Settings(
            silent=True, console="off", disable_git=True, save_code=False, x_disable_stats=True, x_disable_meta=True
        )
        run_dir = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:8]  # two runs may both be called `run`
        self.run = wandb.init(
            project=self.project,
            name=folder.name,
            id=f"{folder.name}-{run_dir}",
            dir=str(folder),
            mode="offline",
            settings=quiet,
        )

    def write(self, row: Mapping[str, Any]) -> None:
        self.run.log(measured(row), step=int(row["step"]))

    def close(self) -> None:
        self.run.finish()
