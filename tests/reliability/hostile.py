"""Files made to hurt whoever opens them as a checkpoint."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

TIB = 1 << 40


def header(fields: Any, length: int | None = None) -> bytes:
    text = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text


def tensor(shape: list[int], begin: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def sparse(path: Path, head: bytes, size: int) -> None:
    """A file that claims `size` bytes of arrays and takes none on the disk."""
    path.write_bytes(head)
    os.truncate(path, len(head) + size)


class Bomb:
    """Unpickled, it leaves a file behind."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch exploded",)


def bomb_zip(path: Path) -> None:
    """A .npz whose one array claims 4 GB and unpacks from a few MB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, file.open("x.npy", "w", force_zip64=True) as inside:
        inside.write(
            b"\x93NUMPY\x01\x00v\x00{'descr': '|u1', 'fortran_order': False, 'shape': (4294967296,), }".ljust(128)
        )
        for _ in range(64):
            inside.write(bytes(1 << 20))


def files() -> Iterator[tuple[str, Callable[[Path], object]]]:
    """(what it is, a function that writes it)."""
    plain = {
        "empty": b"",
        "seven bytes": b"\x02\0\0\0\0\0\0",
        "header length 2^63": header({}, 1 << 63),
        "header length 2^64-1": header({}, (1 << 64) - 1),
        "header length beyond the file": header({}, 1000),
        "header of 5 MB": header(b'{"a":"' + b"x" * 5_000_000 + b'"}'),
        "header that is no JSON": header(b"{not json}"),
        "header that is no text": header(b"\xff\xfe{}"),
        "header that is a list": header([]),
        "header nested 100,000 deep": header(b"[" * 100_000 + b"]" * 100_000),
        "600,000 brackets": header(b"[" + b"[]," * 600_000 + b"[]]"),
        "offset of 5,000 digits": header(b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,' + b"9" * 5000 + b"]}}"),
        "the same name twice": header(b'{"w":1,"w":2}'),
        "overlapping offsets": header({"a": tensor([2], 0, 8), "b": tensor([2], 4, 12)}) + bytes(12),
        "negative offset": header({"a": tensor([2], -8, 0)}) + bytes(8),
        "end before begin": header({"a": tensor([2], 8, 0)}) + bytes(8),
        "gap": header({"a": tensor([1], 4, 8)}) + bytes(8),
        "offsets beyond the file": header({"a": tensor([1000], 0, 4000)}) + bytes(8),
        "negative shape": header({"a": tensor([-2], 0, 8)}) + bytes(8),
        "shape of 8 TiB": header({"a": tensor([2 * TIB], 0, 8)}) + bytes(8),
        "shape that overflows to 0": header({"a": tensor([1 << 32, 1 << 32], 0, 0)}),
        "rank 1000": header({"a": tensor([1] * 1000, 0, 4)}) + bytes(4),
        "shape of floats": header({"a": {"dtype": "F32", "shape": [1.5], "data_offsets": [0, 6]}}) + bytes(6),
        "shape of booleans": header({"a": {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}}) + bytes(4),
        "unknown dtype": header({"a": tensor([1], 0, 4, "OBJECT")}) + bytes(4),
        "dtype that is a list": header({"a": {"dtype": ["F32"], "shape": [1], "data_offsets": [0, 4]}}) + bytes(4),
        "metadata that are a list": header({"__metadata__": ["bp"]}),
        "metadata of numbers": header({"__metadata__": {"bp": 1}}),
        "checksums that are a list": header({"__metadata__": {"bp": "{}", "crc32": "[]", "check": "0"}}),
        "checksums that are a list, and an array": header(
            {"__metadata__": {"bp": "{}", "crc32": "[]", "check": "0"}, "a": tensor([1], 0, 4)}
        )
        + bytes(4),
        "somebody else's safetensors": header({"dense_1.W": tensor([2], 0, 8)}) + bytes(8),
        "pickle": pickle.dumps(Bomb()),
        "random bytes": bytes(range(256)) * 64,
    }
    for name, data in plain.items():
        yield name, lambda path, data=data: path.write_bytes(data)
    yield (
        "8 TiB for real, without a checksum",
        lambda path: sparse(path, header({"a": tensor([2 * TIB], 0, 8 * TIB)}), 8 * TIB),
    )
    yield "zip bomb", bomb_zip
    yield "a directory", lambda path: path.mkdir()
    yield "a pipe nobody writes to", lambda path: os.mkfifo(path)
    yield "a link to itself", lambda path: path.symlink_to(path)
    yield "a link to /dev/zero", lambda path: path.symlink_to("/dev/zero")
    yield "a link to /etc/passwd", lambda path: path.symlink_to("/etc/passwd")
    yield "a link that leads nowhere", lambda path: path.symlink_to(path.with_name("nothing"))
