"""The batch at which training diverged, kept for a look."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from backprop_cli.runs.files import write_atomically

BATCH = "batch.npz"


def write_batch(folder: Path, x: npt.NDArray[Any], y: npt.NDArray[Any]) -> Path:
    """Write x and y to batch.npz. Raises RunError."""
    memory = BytesIO()
    np.savez(memory, x=x, y=y)
    write_atomically(folder / BATCH, [memory.getvalue()])
    return folder / BATCH
