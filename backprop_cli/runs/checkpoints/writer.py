"""Writing checkpoints, in the process that trains: `checkpoint` reads them, `header` says what is in one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from zlib import crc32

import numpy as np

from backprop_cli.errors import CheckpointError
from backprop_cli.runs.checkpoints import tensors
from backprop_cli.runs.checkpoints.header import header
from backprop_cli.runs.checkpoints.tensors import Array
from backprop_cli.runs.files import Folder
from backprop_cli.runs.json_text import dumps


def write(
    folder: Folder,
    name: str,
    arrays: Mapping[str, Array],
    values: Mapping[str, Any],
    before: Callable[[], None] | None = None,
) -> None:
    """Write a checkpoint whole or not at all; `before` is called just before it takes its name.

    Raises RunError; CheckpointError where there are too many arrays; KeyError for a type that no checkpoint has.
    """
    entries = tensors.layout(arrays)
    pieces = {entry: np.ascontiguousarray(arrays[entry]).reshape(-1).view(np.uint8).data for entry in entries}
    try:
        sums = {entry: crc32(piece) for entry, piece in pieces.items()}
        head = header(tensors.described(entries), sums, dumps(values))
    except ValueError as error:
        raise CheckpointError(f"cannot write {folder.path / name}: {error}") from None
    folder.write(name, [head, *pieces.values()], before)
