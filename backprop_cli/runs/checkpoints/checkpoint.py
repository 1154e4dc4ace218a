"""Reading checkpoints: one safetensors file, arrays by name and a JSON document as metadata, checksums inside
(`header`). They are written by `writer`."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable, Mapping
from pathlib import Path
from zlib import crc32

import numpy as np

from backprop_cli.errors import CheckpointError
from backprop_cli.runs.checkpoints import tensors
from backprop_cli.runs.checkpoints.header import FORMAT, MAX_HEADER, check, parse
from backprop_cli.runs.checkpoints.tensors import Array, TensorInfo
from backprop_cli.runs.checkpoints.values import SUMS, VALUES
from backprop_cli.runs.plain import failure, open_plain

PIECE = 1 << 24  # bytes checked at a time
MAX_UNKNOWN = 64 << 20
SUFFIX = ".safetensors"
_OTHERS = "; weights of other programs start a training: `weights: FILE` in a config"


class CheckpointFile:
    """A checkpoint whose header has been checked: `entries` and `values`. Arrays are read when asked for, from the
    file that was opened, also if a training has put a newer one in its place since.

    Raises CheckpointError, here and in `read`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._handle = open_plain(path, os.O_RDONLY)
            weakref.finalize(self, os.close, self._handle)
            room = os.fstat(self._handle).st_size - 8
            length = int.from_bytes(os.pread(self._handle, 8, 0), "little")
            if path.suffix != SUFFIX and os.pread(self._handle, 1, 8) != b"{":
                raise CheckpointError(f"{path}: no model; expected a run's directory or a {SUFFIX} file of bp{_OTHERS}")
            if not 2 <= length <= min(room, MAX_HEADER):
                raise self.damaged(f"a header of {length:,} bytes in a file of {room + 8:,}")
            text = os.pread(self._handle, length, 8)
        except FileNotFoundError:
            raise CheckpointError(f"{path}: no such checkpoint") from None
        except OSError as error:
            raise CheckpointError(str(failure(f"cannot read {path}", error))) from None
        self._start = 8 + length
        try:
            fields, metadata = parse(text)
            if not {"bp", "bp_format", "crc32", "check"} & metadata.keys():
                raise CheckpointError(f"{path}: arrays without a description, so no model of bp{_OTHERS}")
            version = metadata.get("bp_format", "0" if "bp" in metadata else FORMAT)  # the first files did not say
            if version != FORMAT:
                raise CheckpointError(
                    f"{path}: a checkpoint of format {version!r:.20}, this bp reads {FORMAT!r}; "
                    "use the version of bp that wrote it (run.json names it), or train the run's config.yaml again"
                )
            self.entries = tensors.places(fields, room - length)
            self._sums = SUMS.parse(metadata["crc32"])
            if metadata["check"] != check(tensors.described(self.entries), metadata["crc32"], metadata["bp"]):
                raise ValueError("the checksum of its header is wrong")
            self.values = VALUES.parse(metadata["bp"])
        except KeyError as error:
            raise self.damaged(f"it has no {error}") from None
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise self.damaged(str(error)) from None

    def damaged(self, why: str) -> CheckpointError:
        """The error that says so."""
        return CheckpointError(f"{self.path}: damaged or not a checkpoint of bp ({why})")

    def expect(
        self, arrays: Mapping[str, Array], *, optional: Mapping[str, int] | None = None, others: bool = False
    ) -> None:
        """Check names, shapes and types against what a network needs, before anything is read.

        `optional` names arrays whose length is not known beforehand, with the bytes they may take;
        with `others` there may be more arrays.
        """
        wanted = {name: (array.shape, array.dtype) for name, array in arrays.items()}
        given = {name: (entry.shape, entry.dtype) for name, entry in self.entries.items()}
        if others:
            given = {name: what for name, what in given.items() if name in wanted}
        for name, limit in (optional or {}).items():
            wanted.pop(name, None)
            given.pop(name, None)
            if name in self.entries and self.entries[name].bytes > limit:
                raise self.damaged(f"{name} takes {self.entries[name].bytes:,} bytes, expected at most {limit:,}")
        if wanted == given:
            return
        name = next(name for name in [*wanted, *given] if wanted.get(name) != given.get(name))
        text = [f"{kind[1]} of shape {kind[0]}" if kind else "none" for kind in (wanted.get(name), given.get(name))]
        raise CheckpointError(f"{self.path} does not fit the network: {name}: expected {text[0]}, got {text[1]}")

    def read(self, names: Iterable[str] | None = None) -> dict[str, Array]:
        """Arrays by name, each verified against its checksum; all of them by default."""
        wanted = self.entries if names is None else {name: self.entries[name] for name in names}
        try:
            return {name: self._read(name, entry) for name, entry in wanted.items()}
        except OSError as error:
            raise CheckpointError(str(failure(f"cannot read {self.path}", error))) from None
        except MemoryError:
            raise CheckpointError(f"{self.path}: its arrays do not fit into memory") from None

    def read_under(self, prefix: str) -> dict[str, Array]:
        """The arrays whose names begin so, needed before it is known what to expect; together at most 64 MiB."""
        names = [name for name in self.entries if name.startswith(prefix)]
        size = sum(self.entries[name].bytes for name in names)
        if size > MAX_UNKNOWN:
            raise self.damaged(f"{size:,} bytes under {prefix}, expected at most {MAX_UNKNOWN:,}")
        return self.read(names)

    def _read(self, name: str, entry: TensorInfo) -> Array:
        array = np.empty(entry.shape, entry.dtype)
        view = array.reshape(-1).view(np.uint8).data
        begin = self._start + entry.begin
        checksum = 0
        for first in range(0, len(view), PIECE):
            piece = view[first : first + PIECE]
            if os.preadv(self._handle, [piece], begin + first) != len(piece):
                raise self.damaged(f"array {name!r} is cut off")
            checksum = crc32(piece, checksum)
        if checksum != self._sums.get(name):
            raise self.damaged(f"the checksum of array {name!r} is wrong")
        return array
