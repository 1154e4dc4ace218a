"""A whole checkpoint in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from backprop_cli.runs.checkpoints import tensors, writer
from backprop_cli.runs.checkpoints.checkpoint import CheckpointFile
from backprop_cli.runs.files import Folder

Array = npt.NDArray[Any]


@dataclass
class Checkpoint:
    """Arrays (parameters as `dense_1.W`) and plain values (epoch, step, random state)."""

    arrays: dict[str, Array]
    values: dict[str, Any]

    def write(self, path: Path) -> None:
        entries = tensors.layout(self.arrays)
        plain = {name: np.ascontiguousarray(self.arrays[name]).reshape(-1).view(np.uint8).data for name in entries}
        writer.write(Folder(path.parent), path.name, plain, tensors.described(entries), self.values)

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        file = CheckpointFile(path)
        return cls(file.read(), file.values)
