"""A column of files before anything is trained: which kind they are, how large, and which are missing or damaged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backprop_cli.data.files.folders import SUFFIXES_OF, folders, kind_of_folder, media, split_folders
from backprop_cli.data.files.listed import named_file
from backprop_cli.data.files.media import DamagedFileError, Medium, Packed
from backprop_cli.data.files.pictures import size_and_mode
from backprop_cli.data.files.waves import counted, header
from backprop_cli.data.look_column import Column

_LOOKED_AT = 1000  # files of a column whose headers are read
_SHOWN = 3


@dataclass(frozen=True)
class FolderLook:
    """What is in a folder of pictures or sounds for each class, without its files being decoded."""

    folder: Path
    kind: str  # images or sounds
    splits: dict[str, int]  # files of each split that has a folder of its own
    classes: dict[str, int]  # files of each, in train
    facts: dict[str, list[list[Any]]]  # of the first 1,000 files: see `described`
    damaged: list[str]
    files: int

    def as_dict(self) -> dict[str, Any]:
        """What `bp data info` prints."""
        return {
            "path": str(self.folder),
            self.kind: self.files,
            **({"splits": self.splits} if self.splits else {}),
            "classes": self.classes,
            **{fact: dict(counts) for fact, counts in self.facts.items()},
            "damaged": self.damaged or None,
        }


def look_at_folder(folder: Path) -> FolderLook | None:
    """See `FolderLook`; None for a folder without pictures and sounds for each of several classes. Raises DataError."""
    kind = kind_of_folder(folder)
    inner, _ = split_folders(folder)
    classes = {path.name: len(media(path, kind)) for path in folders(inner.get("train", folder))}
    files: list[Medium] = [*media(folder, kind)]
    if len(classes) < 2 or not files:
        return None
    splits = {name: len(media(path, kind)) for name, path in inner.items()}
    return FolderLook(folder, kind, splits, classes, *described(files, kind), len(files))


def look_at_files(column: Column, raw: Any, path: Path) -> None:
    """Say of a column of names of pictures or sounds beside the table, or of their bytes, what they are: its type
    becomes `picture` or `sound`; others stay as they are. `raw` is its Arrow column (N,). Raises DataError."""
    import pyarrow as pa

    if column.type == "picture":
        files: list[Medium] = [
            Packed(f"row {row}", picture["bytes"])
            for row, picture in enumerate(raw.slice(0, _LOOKED_AT).to_pylist(), 1)
            if picture is not None and picture["bytes"]
        ]
        column.files = _described(files, "images", column)
        return
    if not pa.types.is_string(raw.type) or column.type not in ("id", "category", "text", "constant"):
        return
    names = [name for name in raw.drop_null().slice(0, _LOOKED_AT).to_pylist() if name.strip()]
    kind = next((kind for kind in SUFFIXES_OF if names and named_file(path.parent, names[0], kind) is not None), None)
    if kind is None:  # the first one may be missing
        kind = next((kind for kind, ends in SUFFIXES_OF.items() if names and _all_end(names, ends)), None)
    if kind is None:
        return
    column.type = "picture" if kind == "images" else "sound"
    column.width, column.notes, column.frequent = None, [], None
    paths = {name: named_file(path.parent, name, kind) for name in dict.fromkeys(names)}
    lacking = [name for name, file in paths.items() if file is None]
    if lacking:
        column.notes.append(f"no such files in {path.parent}: {_few(lacking)}")
    column.files = _described([file for file in paths.values() if file is not None], kind, column)


def _all_end(names: Sequence[str], suffixes: set[str]) -> bool:
    return all(Path(name).suffix.lower() in suffixes for name in names)


def described(files: Sequence[Medium], kind: str) -> tuple[dict[str, list[list[Any]]], list[str]]:
    """Sizes and modes of pictures, or rates, lengths and channels of sounds, each with how many files have it, the most
    common first; and what is wrong with damaged ones. Raises DataError for a file that unpacks to too much."""
    counts: dict[str, Counter[Any]] = {}
    damaged = []
    for file in files[:_LOOKED_AT]:
        try:
            for fact, value in _facts(file, kind).items():
                counts.setdefault(fact, Counter())[value] += 1
        except DamagedFileError as error:
            damaged.append(str(error))
    return {
        fact: [[value, count] for value, count in counted.most_common()] for fact, counted in counts.items()
    }, damaged


def _described(files: Sequence[Medium], kind: str, column: Column) -> dict[str, Any]:
    facts, damaged = described(files, kind)
    if damaged:
        column.notes.append(f"damaged, which dataset.corrupt: skip leaves out: {_few(damaged)}")
    return facts


def _facts(file: Medium, kind: str) -> dict[str, Any]:
    if kind == "images":
        height, width, mode = size_and_mode(file)
        return {"size": f"{height} × {width}", "mode": mode}
    head = header(file)
    return {"rate": f"{head.rate} Hz", "seconds": f"{head.seconds:g} s", "channels": counted(head.channels)}


def _few(values: Sequence[str]) -> str:
    return ", ".join(values[:_SHOWN]) + (f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else "")
