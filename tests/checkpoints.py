"""A whole checkpoint in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from backprop_cli.runs.checkpoints.checkpoint import CheckpointFile
from backprop_cli.runs.checkpoints.writer import write
from backprop_cli.runs.files import Folder

Array = npt.NDArray[Any]


@dataclass
class Checkpoint:
    """Arrays (parameters as `dense_1.W`) and plain values (epoch, step, random state)."""

    arrays: dict[str, Array]
    values: dict[str, Any]

    def write(self, path: Path) -> None:
        write(Folder(path.parent), path.name, self.arrays, self.values)

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        file = CheckpointFile(path)
        return cls(file.read(), file.values)
