"""Checkpoints: one safetensors file, arrays by name and a JSON document as metadata."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from backprop_cli.errors import CheckpointError
from backprop_cli.runs.files import write_atomically
from backprop_cli.runs.metrics_log import finite

Array = npt.NDArray[Any]
KEY = "bp"  # the metadata entry that holds our JSON


@dataclass
class Checkpoint:
    """Arrays (parameters as `dense_1.W`) and plain values (epoch, step, random state)."""

    arrays: dict[str, Array]
    values: dict[str, Any]

    def write(self, path: Path) -> None:
        """Write the file whole or not at all."""
        from safetensors.numpy import save

        arrays = {name: np.ascontiguousarray(array) for name, array in self.arrays.items()}
        write_atomically(path, save(arrays, {KEY: json.dumps(finite(self.values))}))

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        """Read a file. Raises CheckpointError where it is missing or damaged."""
        from safetensors import SafetensorError, safe_open

        if not path.is_file():
            raise CheckpointError(f"{path}: no such checkpoint")
        try:
            with safe_open(path, framework="numpy") as file:
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a dict
                values = json.loads((file.metadata() or {})[KEY])
        except (SafetensorError, KeyError, ValueError) as error:
            raise CheckpointError(f"{path}: damaged or not a checkpoint of bp ({error})") from None
        return cls(arrays, values)
