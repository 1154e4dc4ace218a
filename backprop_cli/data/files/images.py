"""A folder of images for each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backprop_cli.data import splits
from backprop_cli.data.dataset import Dataset
from backprop_cli.data.duplicates import across
from backprop_cli.data.files.deal import deal
from backprop_cli.data.files.folders import IMAGE_SUFFIXES, images, split_folders
from backprop_cli.data.files.folders import folders as visible_folders
from backprop_cli.data.files.labels import check_seen, encode
from backprop_cli.data.files.memory import check_room
from backprop_cli.data.files.pictures import SMALLER, Picture, decoded
from backprop_cli.data.gather import release
from backprop_cli.data.schema import Images
from backprop_cli.errors import DataError

if TYPE_CHECKING:
    from backprop_cli.data.files.options import FileOptions
    from backprop_cli.data.schema import Schema


def load_images(
    options: FileOptions,
    form: str,
    paths: Mapping[str, Path],
    slices: Mapping[str, Any] | None,
    seed: int,
    known: Schema | None = None,
) -> Dataset:
    """The dataset of image folders; see `Files`. Raises DataError."""
    if known is not None and known.images is not None:
        settled = known.images
        changes: dict[str, Any] = {"color": settled.color, "size": list(settled.size) if settled.resize else None}
        options = replace(options, **changes)
    folders, notes = dict(paths), []
    if len(paths) == 1:
        (root,) = paths.values()
        if not root.is_dir():
            raise DataError(f"{root}: a file; expected a folder with a folder of images for each class")
        inner, beside = split_folders(root)
        folders = inner or folders
        notes = [f"{folder}: passed over; it is no split, as {', '.join(inner)} are" for folder in beside]
    labelled = {name: _labelled(folder) for name, folder in folders.items()}
    files: dict[str, Sequence[Picture]] = {name: own for name, (own, _) in labelled.items()}
    every = [file for own, _ in labelled.values() for file in own]
    key = {name: str(folder) for name, folder in folders.items()}
    how: dict[str, Any] = {"color": options.color, "size": options.size, "corrupt": options.corrupt}
    pixels = decoded(next(iter(folders.values())).name, files, every, key=key, **how)
    notes += pixels.notes(files)
    places = {name: pixels.kept(name, len(own)) for name, own in files.items()}
    x, color = pixels.arrays, pixels.color
    y, classes = encode(
        {name: np.array(labels)[places[name]] for name, (_, labels) in labelled.items()},
        {name: str(folder) for name, folder in folders.items()},
        known.classes if known else None,
    )
    numbers = None
    if len(x) == 1:
        (base,) = x
        check_room(x[base].nbytes, f"{len(x[base])} images", SMALLER)
        dealt = deal(len(y[base]), options, slices, seed, labels=y[base], base=base)
        dealt_x = x[base][dealt.order]
        release(x[base])
        x, y, slices = {base: dealt_x}, {base: y[base][dealt.order]}, dealt.slices
        numbers = {base: places[base][dealt.order]}
    elif options.folds is not None:
        raise DataError(
            "dataset.folds deals out the pictures of one folder, and there is one for each split; remove it"
        )
    size = next(iter(x.values())).shape[1:3]
    parts = splits.cut(x, y, slices, rows=numbers)
    if known is None:
        check_seen(parts, classes)
        notes += across(parts)
    return Dataset(
        name=next(iter(paths.values())).name,
        source="files",
        splits=parts,
        classes=classes,
        origin={"files": {name: str(path) for name, path in paths.items()}},
        images=Images(color=color, size=size, resize=options.size is not None),
        notes=notes,
    )


def _labelled(folder: Path) -> tuple[list[Path], list[str]]:
    """Every image in the folders of a folder, with the name of its folder."""
    files: list[Path] = []
    labels: list[str] = []
    for of_class in visible_folders(folder):
        own = images(of_class)
        if not own:
            raise DataError(f"{of_class}: no images; expected files ending in {', '.join(sorted(IMAGE_SUFFIXES))}")
        files += own
        labels += [of_class.name] * len(own)
    if not files:
        raise DataError(f"{folder}: expected a folder of images for each class, such as {folder.name}/cat/1.png")
    return files, labels
