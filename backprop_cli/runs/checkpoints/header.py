"""The header of a checkpoint: safetensors, and checksums.

A safetensors file is 8 bytes of header length, a JSON header, the arrays end to end
(https://github.com/huggingface/safetensors#format). The metadata of a checkpoint are `bp_format` (the version of this
layout), `bp` (the plain values as JSON), `crc32` (that of each array, as JSON) and `check`, the CRC-32 of everything
the header says. So no byte that means something can change unnoticed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from zlib import crc32

FORMAT = "2"  # raised whenever an older bp could not read what is written
MAX_HEADER = 2 << 20  # bytes, enough for 10,000 arrays; at its worst, JSON of that size takes 50 MB and 0.2 s


def header(arrays: str, sums: Mapping[str, int], values: str) -> bytes:
    """The file up to the first array. `arrays` is what the header says of them (`tensors.described`), `values` JSON.

    Raises ValueError if it would be too long to be read again.
    """
    summed = json.dumps(sums)
    metadata = {"bp_format": FORMAT, "bp": values, "crc32": summed, "check": check(arrays, summed, values)}
    said = json.dumps(metadata, separators=(",", ":"))
    text = f'{{"__metadata__":{said}{arrays and ","}{arrays}}}'.encode()
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER:
        raise ValueError(f"so many arrays need a header of {len(text):,} bytes, above {MAX_HEADER:,}")
    return len(text).to_bytes(8, "little") + text


def check(arrays: str, sums: str, values: str) -> str:
    """CRC-32 of all that a header says."""
    return f"{crc32(values.encode(), crc32(sums.encode(), crc32(arrays.encode()))):08x}"


def parse(text: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    """The fields of a header that describe arrays, unchecked, and its metadata. Raises ValueError."""
    try:
        fields = json.loads(text.decode(), object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("the header is nested too deeply") from None
    if not isinstance(fields, dict):
        raise ValueError("the header is not a JSON object")
    metadata = fields.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("the header's metadata are not text")
    return fields, metadata


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("the header names something twice")
    return fields
