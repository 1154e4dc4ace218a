"""Pictures and sounds without their labels, from files or listed in a table, as training saw them."""

from __future__ import annotations

from pathlib import Path

from backprop_cli.data.arrays import Array
from backprop_cli.data.files.columns import column_names, raw_columns, require
from backprop_cli.data.files.folders import SUFFIXES_OF, media
from backprop_cli.data.files.guess import guess
from backprop_cli.data.files.listed import listed_files
from backprop_cli.data.files.media import read_trained
from backprop_cli.data.files.pictures import Pictures
from backprop_cli.data.files.readers import trained_reader
from backprop_cli.data.schema import Schema
from backprop_cli.errors import DataError

Media = tuple[Array, list[str], list[str]]  # x (N, …), the names of their files, and what was left out or changed


def file_media(path: Path, kind: str, schema: Schema) -> Media:
    """The pictures or sounds (`kind`: images, sounds) of a folder, or a single one. Raises DataError."""
    files = [path] if path.is_file() else media(path, kind)
    if not files:
        raise DataError(f"{path}: no {kind}; expected files ending in {', '.join(sorted(SUFFIXES_OF[kind]))}")
    names = [str(file.relative_to(path)) if path.is_dir() else file.name for file in files]
    saved, shape = (schema.images if kind == "images" else schema.sounds), schema.shape
    if saved is not None:
        reader, corrupt = trained_reader(saved), saved.corrupt
    elif kind == "images" and len(shape) in (2, 3):
        color = "rgb" if shape[2:] == (3,) else "grey"
        reader, corrupt = Pictures(color=color, size=(shape[0], shape[1]), trained=True), "error"
    else:
        raise DataError(f"{path}: {kind}, but the network was trained on {_trained_on(schema)}")
    x, places, notes = read_trained(files, reader, corrupt)
    return x, [names[i] for i in places], notes


def listed_media(path: Path, form: str, schema: Schema) -> Media:
    """The pictures or sounds that a table lists in the column that training had them in. Raises DataError."""
    saved = schema.media
    assert saved is not None
    column, kind = str(saved.column), "images" if schema.images is not None else "sounds"
    layout = guess(path, form, {}, [column])
    names = column_names(path, layout)
    require(path, names, [column], "the network was trained with it")
    files = listed_files(raw_columns(path, layout, names, [column], [column])[column], column, path, kind)
    x, places, notes = read_trained(files, trained_reader(saved), saved.corrupt)
    return x, [files[i].name for i in places], notes


def _trained_on(schema: Schema) -> str:
    kinds = {"images": schema.images, "sounds": schema.sounds, "a table": schema.table, "a text": schema.text}
    known = next((kind for kind, settled in kinds.items() if settled is not None), None)
    return known or f"rows of shape {schema.shape}"
