"""What `bp predict` reads: rows without targets, in the form that training saw."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backprop_cli.data.dataset import Array
from backprop_cli.data.files.arrays import read_npy, read_npz
from backprop_cli.data.files.columns import Layout, column_names, read_columns, require
from backprop_cli.data.files.folders import IMAGE_SUFFIXES, images
from backprop_cli.data.files.images import read_images
from backprop_cli.data.files.matrix import Columns, fill_gaps, matrix, without_gaps
from backprop_cli.data.files.paths import SUFFIXES, missing
from backprop_cli.data.files.text import encode, read_text, tokens_of
from backprop_cli.errors import DataError


def read_inputs(path: Path, dataset: Mapping[str, Any], shape: tuple[int, ...] | None = None) -> Array:
    """x (N, …) of a .npy, .npz, CSV, TSV, Parquet or text file, an image or a folder of images.

    `dataset` is what is known of the data that the network was trained on: `origin` of its Dataset
    (or the `dataset` of run.json), with `features` and `classes` where it has any. `shape` is that of
    one row of x before transforms. Columns of a table are found by name, in any order; others,
    the target among them, are passed over. Raises DataError.
    """
    if not path.exists():
        missing(path)
    form = "images" if path.suffix.lower() in IMAGE_SUFFIXES or path.is_dir() else SUFFIXES.get(path.suffix.lower())
    if form == "npy":
        x: Array = read_npy(path)
    elif form == "npz":
        x = _only(read_npz(path), path)
    elif form == "images":
        x = _images(path, dataset.get("images"), shape)
    elif form == "text":
        x = _windows(path, dataset, shape)
    elif form in ("csv", "tsv", "parquet"):
        x = _table(path, form, dataset)
    else:
        raise DataError(f"{path}: expected a .npy, .npz, .csv, .tsv, .parquet or .txt file, or images")
    return _shaped(x, shape, path)


def _shaped(x: Array, shape: tuple[int, ...] | None, path: Path) -> Array:
    """x with rows of the given shape; a single row, and a missing last axis of 1, are put right."""
    if shape is None or x.shape[1:] == shape:
        return x
    if x.shape == shape:
        return x[None]
    if (*x.shape[1:], 1) == shape or x.shape[1:] == (*shape, 1):
        return x.reshape(len(x), *shape)
    raise DataError(f"{path}: rows of shape {x.shape[1:]}; the network was trained on rows of shape {shape}")


def _only(arrays: dict[str, Array], path: Path) -> Array:
    for key in ("x", "X", "x_test", "data", "images"):
        if key in arrays:
            return arrays[key]
    if len(arrays) != 1:
        raise DataError(f"{path}: has the arrays {', '.join(arrays)}; expected x, or a single one")
    return next(iter(arrays.values()))


def _images(path: Path, saved: Mapping[str, Any] | None, shape: tuple[int, ...] | None) -> Array:
    files = [path] if path.is_file() else images(path)
    if not files:
        raise DataError(f"{path}: no images; expected files ending in {', '.join(sorted(IMAGE_SUFFIXES))}")
    if saved is not None:
        return read_images(files, saved["color"], (saved["size"][0], saved["size"][1]), resize=saved["resize"])
    if shape is None or len(shape) not in (2, 3):
        raise DataError(f"{path}: images, but the network was trained on rows of shape {shape}")
    return read_images(files, "rgb" if shape[2:] == (3,) else "grey", (shape[0], shape[1]), resize=False)


def _table(path: Path, form: str, dataset: Mapping[str, Any]) -> Array:
    saved = dataset.get("table")
    if saved is not None:
        layout = Layout(form, saved["layout"]["delimiter"], saved["layout"]["header"])
        columns = Columns(**{**saved, "layout": layout})
    else:
        layout = Layout(form)
        names = column_names(path, layout)
        features = dataset.get("features")
        columns = Columns(layout, list(features) if features else names)
    names = column_names(path, layout)
    wanted = [columns.text] if columns.text else columns.features
    require(path, names, wanted, "the network was trained with it")
    texts = [columns.text] if columns.text else list(columns.categories)
    table = without_gaps(read_columns(path, layout, names, wanted, texts), columns, [], path)
    x = matrix(table, columns, str(path))
    fill_gaps(columns, x)
    return x


def _windows(path: Path, dataset: Mapping[str, Any], shape: tuple[int, ...] | None) -> Array:
    names = dataset.get("classes")
    if "level" not in dataset or not names or not shape:
        raise DataError(f"{path}: a text, but the network was not trained on a text file")
    tokens = tokens_of(read_text(path), dataset["level"])
    count = len(tokens) // shape[0]
    if not count:
        raise DataError(f"{path}: {len(tokens)} tokens; the network reads {shape[0]} at a time")
    ids = encode(tokens[: count * shape[0]], {token: i for i, token in enumerate(names)})
    return ids.reshape(count, shape[0])
