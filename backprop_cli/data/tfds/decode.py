"""Records of a prepared dataset -> arrays in the cache, each base split once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from backprop_cli.data.arrays import Array
from backprop_cli.data.cache import Entry, Writer
from backprop_cli.data.progress import report
from backprop_cli.data.stamps import stamp
from backprop_cli.errors import DataError

CHUNK_BYTES = 16_000_000
CHUNK_ROWS = 4096  # records read in one call: six times as fast as one by one


def decode(builder: Any, name: str, given: str | list[str] | None, target: str | None, entry: Entry) -> None:
    """Write x (N, …) and y (N, …) of every base split to the cache. Raises DataError; call within the lock."""
    info = builder.info
    inputs, output = choose(name, info, given, target)
    splits = {split: part for split, part in info.splits.items() if part.num_examples}
    if not splits:
        raise DataError(f"{name}: {builder.data_path} holds no rows; remove the folder to prepare it again")
    sources = stamp([path for path in Path(builder.data_path).iterdir() if path.is_file()])
    label = feature(info, output)
    with entry.write() as writer:
        for split, part in splits.items():
            _decode_split(builder, name, split, part.num_examples, inputs, output, writer)
        about = {
            "full_name": info.full_name,
            "prepared": str(builder.data_path),
            "input": inputs,
            "target": output,
            "splits": {split: list(part.shard_lengths) for split, part in splits.items()},
            "classes": list(label.names) if isinstance(label, tfds.features.ClassLabel) else None,
            "features": inputs if len(inputs) > 1 else None,
        }
        writer.commit(about, sources)


def choose(name: str, info: Any, given: str | list[str] | None, target: str | None) -> tuple[list[str], str]:
    """The paths (`a`, `a/b`) of the features that are x, and of the one that is y. Raises DataError."""
    keys = info.supervised_keys or (None, None)
    wanted_x, wanted_y = given or keys[0], target or keys[1]
    known = leaves(info.features)
    inputs = [leaf for wanted in _names(wanted_x) for leaf in known if leaf == wanted or leaf.startswith(f"{wanted}/")]
    outputs = [leaf for leaf in known if leaf == wanted_y]
    if not inputs or not outputs:
        raise DataError(
            f"{name}: cannot tell what is input and what is target; set `input` and `target` under dataset "
            f"to some of its features: {', '.join(sorted(known))}"
        )
    for leaf in (*inputs, *outputs):
        if isinstance(feature(info, leaf), tfds.features.Text) or feature(info, leaf).np_dtype == np.object_:
            raise DataError(
                f"{name}: feature {leaf!r} is text; expected numbers or images; export it and use source files"
            )
    return inputs, outputs[0]


def _names(keys: Any) -> list[str]:
    if isinstance(keys, dict):
        return [name for value in keys.values() for name in _names(value)]
    if isinstance(keys, list | tuple):
        return [name for value in keys for name in _names(value)]
    return [] if keys is None else [keys]


def leaves(features: Any, prefix: str = "") -> list[str]:
    """The paths (`a`, `a/b`) of all features."""
    decoded: list[str] = []
    for name, spec in features.items():
        nested = isinstance(spec, tfds.features.FeaturesDict)
        decoded += leaves(spec, f"{prefix}{name}/") if nested else [prefix + name]
    return decoded


def feature(info: Any, path: str) -> Any:
    """The TFDS feature at a path."""
    features = info.features
    for name in path.split("/"):
        features = features[name]
    return features


def _value(record: Any, path: str) -> Array:
    for name in path.split("/"):
        record = record[name]
    return np.asarray(record)


def _stack(name: str, split: str, what: str, values: list[Array]) -> Array:
    shapes = sorted({value.shape for value in values}, key=str)
    if len(shapes) > 1:
        raise DataError(
            f"{name}, split {split}, feature {what!r}: rows of different shapes, {shapes[0]} "
            f"and {shapes[-1]}; expected one shape"
        )
    return np.stack(values)


def _decode_split(
    builder: Any, name: str, split: str, rows: int, inputs: list[str], output: str, writer: Writer
) -> None:
    def chunk(start: int, stop: int) -> tuple[Array, Array]:
        records = _read(builder, name, source, range(start, stop))
        columns = [_stack(name, split, path, [_value(record, path) for record in records]) for path in inputs]
        if len(columns) > 1:
            columns = [np.stack(columns, axis=-1).astype(np.float32)]  # a table: values, not token ids
        target = _stack(name, split, output, [_value(record, output) for record in records])
        if target.ndim == 1 and target.dtype.kind == "f":
            target = target[:, None]  # values to regress on are (N, 1)
        return columns[0], target

    source = _open(builder, name, split)
    if len(source) != rows:
        raise _damaged(builder, name, f"split {split} has {len(source)} records, its info says {rows}")
    x, y = chunk(0, 1)
    step = max(1, min(CHUNK_ROWS, CHUNK_BYTES // max(1, x.nbytes)))
    with (
        writer.array(f"{split}-x", rows, x.shape[1:], x.dtype) as add_x,
        writer.array(f"{split}-y", rows, y.shape[1:], y.dtype) as add_y,
    ):
        for start in range(0, rows, step):
            report(f"decoding {name} {split}", start, rows)
            x_part, y_part = chunk(start, min(start + step, rows))
            if (x_part.shape[1:], y_part.shape[1:]) != (x.shape[1:], y.shape[1:]):
                raise DataError(
                    f"{name}, split {split}: rows of different shapes, {x.shape[1:]} and {x_part.shape[1:]} "
                    f"by row {start}; expected one shape"
                )
            add_x(x_part)
            add_y(y_part)
        report(f"decoding {name} {split}", rows, rows)


def _open(builder: Any, name: str, split: str) -> Any:
    try:
        return builder.as_data_source(split=split)
    except NotImplementedError as error:  # what TFDS raises for a format that needs TensorFlow
        raise DataError(
            f"{name}: {builder.data_path} was prepared as {builder.info.file_format.value}; expected "
            "array_record, the format that is read without TensorFlow; set data_dir to another folder"
        ) from error
    except (OSError, RuntimeError, ValueError) as error:
        raise _damaged(builder, name, str(error)) from error


def _read(builder: Any, name: str, source: Any, rows: range) -> list[Any]:
    try:
        return list(source.__getitems__(rows))
    except Exception as error:  # what a flipped bit makes the reader, protobuf or Pillow raise
        raise _damaged(builder, name, f"rows {rows.start} to {rows.stop}: {error}") from error


def _damaged(builder: Any, name: str, what: str) -> DataError:
    words = " ".join(what.split())[:200]
    return DataError(
        f"{name}: the prepared files in {builder.data_path} are damaged ({words}); remove that folder to "
        "have them prepared again"
    )
