"""The arrays of a safetensors file: where each lies, as its header says.

https://github.com/huggingface/safetensors#format. Written out here, not left to the package of that
name, because a checkpoint is written without a second copy and checked before memory is taken: every
number of a header may be a lie.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
MAX_RANK = 32
DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("<i1"),
    "U64": np.dtype("<u8"),
    "U32": np.dtype("<u4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("<u1"),
    "BOOL": np.dtype("?"),
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


@dataclass(frozen=True)
class TensorInfo:
    """Where an array lies: bytes `begin` to `end` after the header."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def bytes(self) -> int:
        """The length of the array's data in bytes."""
        return self.end - self.begin


def layout(arrays: Mapping[str, Array]) -> dict[str, TensorInfo]:
    """Places end to end; the widest types come first, so that all are aligned. Raises KeyError for an odd dtype."""
    entries, end = {}, 0
    for name in sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name)):
        array = arrays[name]
        entries[name] = TensorInfo(DTYPES[NAMES[array.dtype]], array.shape, end, end + array.nbytes)
        end += array.nbytes
    return entries


def described(entries: Mapping[str, TensorInfo]) -> str:
    """What a header says about arrays, without the braces around it."""
    fields = {
        name: {"dtype": NAMES[entry.dtype], "shape": entry.shape, "data_offsets": [entry.begin, entry.end]}
        for name, entry in entries.items()
    }
    return json.dumps(fields, separators=(",", ":"))[1:-1]


def places(fields: Mapping[str, Any], room: int) -> dict[str, TensorInfo]:
    """The entries of a header before `room` bytes of arrays, in the order of their places.

    Raises ValueError unless the arrays fill the room exactly, without gap or overlap.
    """
    entries = {name: _entry(name, field) for name, field in fields.items()}
    end = 0
    entries = dict(sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)))
    for name, entry in entries.items():
        if entry.begin != end:
            raise ValueError(f"array {name!r:.80} starts at byte {entry.begin}, expected {end}")
        end = entry.end
    if end != room:
        raise ValueError(f"its arrays take {end} bytes, but the file holds {room}")
    return entries


def _entry(name: str, field: Any) -> TensorInfo:
    """One array's line of the header. Raises ValueError."""
    if not isinstance(field, dict) or set(field) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"array {name!r:.80}: expected dtype, shape and data_offsets")
    shape, offsets = field["shape"], field["data_offsets"]
    if not _sizes(shape) or not _sizes(offsets) or len(offsets) != 2 or len(shape) > MAX_RANK:
        raise ValueError(f"array {name!r:.80}: shape and data_offsets must be lists of whole numbers from 0")
    dtype = DTYPES.get(field["dtype"]) if isinstance(field["dtype"], str) else None
    if dtype is None:
        raise ValueError(f"array {name!r:.80}: dtype {field['dtype']!r:.80}; expected one of {', '.join(DTYPES)}")
    size = dtype.itemsize
    for length in shape:
        size *= length
    if offsets[1] - offsets[0] != size:
        raise ValueError(
            f"array {name!r:.80}: its shape needs {size:.6g} bytes, its offsets give {offsets[1] - offsets[0]}"
        )
    return TensorInfo(dtype, tuple(shape), *offsets)


def _sizes(value: Any) -> bool:
    """Whether it is a list of whole numbers that a file could hold."""
    return isinstance(value, list) and all(type(number) is int and 0 <= number < 1 << 63 for number in value)
