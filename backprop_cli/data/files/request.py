"""What every loader of files is asked: which files, as which splits, read how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backprop_cli.data.files.options import FileOptions
    from backprop_cli.data.schema import Schema


@dataclass(frozen=True)
class Request:
    """`paths` has a file or folder for each split, or one file, and `slices` which part of it is which split."""

    options: FileOptions
    form: str  # one of the formats
    paths: Mapping[str, Path]
    slices: Mapping[str, Any] | None
    seed: int  # of the deal into splits
    known: Schema | None = None  # what a model has learnt of its data; then nothing is learnt again

    @property
    def base(self) -> str:
        """The split whose file settles what is settled once: train, or the first one."""
        return "train" if "train" in self.paths else next(iter(self.paths))

    @property
    def origin(self) -> dict[str, Any]:
        """Where the data come from, for the record of the run."""
        return {"files": {name: str(path) for name, path in self.paths.items()}}
