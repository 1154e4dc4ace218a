"""A folder of pictures, or of sounds, for each class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from backprop_cli.data import splits
from backprop_cli.data.dataset import Dataset
from backprop_cli.data.duplicates import across
from backprop_cli.data.files.deal import deal
from backprop_cli.data.files.folders import SUFFIXES_OF, media, split_folders
from backprop_cli.data.files.folders import folders as visible_folders
from backprop_cli.data.files.labels import check_seen, encode
from backprop_cli.data.files.media import Medium, decoded
from backprop_cli.data.files.memory import check_room
from backprop_cli.data.files.readers import reader_of
from backprop_cli.data.files.request import Request
from backprop_cli.data.gather import release
from backprop_cli.errors import DataError, OptionError


def load_folders(request: Request) -> Dataset:
    """The dataset of folders of classes: x (N, …) of what the reader makes of a file, y (N,) class ids; see
    `Files`. Raises DataError."""
    options, paths, slices, kind = request.options, request.paths, request.slices, request.form
    folders, notes = dict(paths), []
    if len(paths) == 1:
        (root,) = paths.values()
        if not root.is_dir():
            raise DataError(f"{root}: a file; expected a folder with a folder of {kind} for each class")
        inner, beside = split_folders(root)
        folders = inner or folders
        notes = [f"{folder}: passed over; it is no split, as {', '.join(inner)} are" for folder in beside]
    labelled = {name: _labelled(folder, kind) for name, folder in folders.items()}
    files: dict[str, Sequence[Medium]] = {name: own for name, (own, _) in labelled.items()}
    sources = [file for own, _ in labelled.values() for file in own]
    key = {name: str(folder) for name, folder in folders.items()}
    read = decoded(
        next(iter(folders.values())).name,
        files,
        sources,
        reader=reader_of(kind, options, request.known),
        corrupt=options.corrupt,
        key=key,
    )
    notes += read.notes()
    kept = {name: read.kept(name, len(own)) for name, own in files.items()}
    x = read.arrays
    y, classes = encode(
        {name: np.array(labels)[kept[name]] for name, (_, labels) in labelled.items()},
        {name: str(folder) for name, folder in folders.items()},
        request.known.classes if request.known else None,
    )
    numbers = None
    if len(x) == 1:
        (base,) = x
        check_room(x[base].nbytes, f"{len(x[base])} {kind}", read.reader.smaller)
        dealt = deal(len(y[base]), options, slices, request.seed, labels=y[base], base=base)
        dealt_x = x[base][dealt.order]
        release(x[base])
        x, y, slices = {base: dealt_x}, {base: y[base][dealt.order]}, dealt.slices
        numbers = {base: kept[base][dealt.order]}
    elif options.folds is not None:
        raise OptionError(
            f"dataset.folds deals out the {kind} of one folder, and there is one for each split; remove it"
        )
    parts = splits.cut(x, y, slices, rows=numbers)
    if request.known is None:
        check_seen(parts, classes)
        notes += across(parts)
    return Dataset(
        name=next(iter(paths.values())).name,
        source="files",
        splits=parts,
        classes=classes,
        origin=request.origin,
        notes=notes,
        **read.reader.schema(next(iter(x.values())).shape[1:], corrupt=options.corrupt),
    )


def _labelled(folder: Path, kind: str) -> tuple[list[Path], list[str]]:
    """Every picture or sound in the folders of a folder, with the name of its folder."""
    files: list[Path] = []
    labels: list[str] = []
    for of_class in visible_folders(folder):
        own = media(of_class, kind)
        if not own:
            raise DataError(f"{of_class}: no {kind}; expected files ending in {', '.join(sorted(SUFFIXES_OF[kind]))}")
        files += own
        labels += [of_class.name] * len(own)
    if not files:
        example = f"{folder.name}/cat/1.{'png' if kind == 'images' else 'wav'}"
        raise DataError(f"{folder}: expected a folder of {kind} for each class, such as {example}")
    return files, labels
