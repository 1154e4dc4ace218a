"""Pictures or sounds that a table lists, by the names of their files or as bytes in it, with their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli.data import splits
from backprop_cli.data.arrays import Array
from backprop_cli.data.dataset import Dataset
from backprop_cli.data.duplicates import across
from backprop_cli.data.files.columns import column_names, raw_columns, require, understood
from backprop_cli.data.files.deal import deal
from backprop_cli.data.files.folders import SUFFIXES_OF
from backprop_cli.data.files.guess import guess
from backprop_cli.data.files.keys import keys_of
from backprop_cli.data.files.labels import are_classes, check_seen, encode, task_of
from backprop_cli.data.files.media import Medium, Packed, decoded
from backprop_cli.data.files.memory import check_room
from backprop_cli.data.files.parquet import parts
from backprop_cli.data.files.readers import reader_of
from backprop_cli.data.files.request import Request
from backprop_cli.data.files.targets import real_values, target_values
from backprop_cli.errors import DataError, OptionError

_NAMED = 5  # files that are missing, in a message


def load_listed(request: Request) -> Dataset:
    """The dataset of one table of pictures or sounds, or of one a split: x of what the reader makes of a file, y class
    ids (N,) or values (N, K); see `Files`. Raises DataError."""
    options, paths, slices, known, first = request.options, request.paths, request.slices, request.known, request.base
    kind = "sounds" if options.sounds is not None else "images"
    column = str(options.sounds if kind == "sounds" else options.images)
    given = options.target or (known.media.targets if known is not None and known.media is not None else [])
    targets = [given] if isinstance(given, str) else list(map(str, given if isinstance(given, list) else [given]))
    if not targets:
        raise OptionError(
            f"{paths[first]}: set dataset.target to the column of labels, or to several of 0 and 1; the columns are "
            + ", ".join(column_names(paths[first], guess(paths[first], request.form, options.layout()))[:30])
        )
    if column in targets:
        raise OptionError(f"{paths[first]}: column {column!r} is both dataset.{kind} and target; expected two columns")
    beside = [name for name in (options.group, options.time, options.split_column) if name]
    tables, files = {}, {}
    for name, path in paths.items():
        layout = guess(path, request.form, options.layout(), [column, *targets])
        names = column_names(path, layout)
        require(path, names, [column, *targets, *beside], "named in the config", OptionError)
        texts = [column, *(targets if options.label_separator else [])]
        raw = raw_columns(path, layout, names, [column, *targets, *beside], texts)
        files[name] = listed_files(raw[column], column, path, kind)  # bytes are not text here
        tables[name] = understood(raw.drop_columns([column]), layout, texts, path)
        _check_whole(tables[name], [] if options.label_separator else targets, path)
    sources = {file for own in files.values() for file in own if isinstance(file, Path)}
    sources |= {part for path in paths.values() for part in parts(path)}
    read = decoded(
        paths[first].stem,
        files,
        sorted(sources),
        reader=reader_of(kind, options, known),
        corrupt=options.corrupt,
        key=[column, {name: str(path) for name, path in paths.items()}],
    )
    kept = {name: read.kept(name, len(table)) for name, table in tables.items()}
    y, classes, outputs = _targets(request, tables, targets)
    x, y = read.arrays, {name: rows[kept[name]] for name, rows in y.items()}
    numbers = dict(kept)
    if len(x) == 1:
        (base,) = x
        check_room(x[base].nbytes, f"{len(x[base])} {kind}", read.reader.smaller)
        keys = keys_of(options, tables[base].take(kept[base]), str(paths[base]))
        labels, values = (y[base], None) if classes else (None, y[base])
        dealt = deal(len(y[base]), options, slices, request.seed, labels=labels, values=values, keys=keys, base=base)
        x, y, slices = {base: x[base][dealt.order]}, {base: y[base][dealt.order]}, dealt.slices
        numbers = {base: kept[base][dealt.order]}
    by_split = splits.cut(x, y, slices, rows=numbers)
    notes = read.notes()
    if known is None:
        check_seen(by_split, classes)
        notes += across(by_split)
    settled = read.reader.schema(
        next(iter(x.values())).shape[1:],
        column=column,
        targets=targets,
        separator=options.label_separator,
        corrupt=options.corrupt,
    )
    return Dataset(
        name=paths[first].stem,
        source="files",
        splits=by_split,
        classes=classes,
        targets=outputs,
        origin=request.origin,
        notes=notes,
        **settled,
    )


def listed_files(column: Any, name: str, path: Path, kind: str) -> list[Medium]:
    """The pictures or sounds of a column of a table: structures of bytes and path, bytes, or names of files beside the
    table, with or without their ending. Raises DataError that names every file which is not there."""
    import pyarrow as pa

    folder, files, lacking = path.parent, list[Medium](), list[str]()
    if pa.types.is_struct(column.type):
        fields = [column.type.field(i).name for i in range(column.type.num_fields)]
        if not {"bytes", "path"} <= {*fields}:
            raise DataError(f"{path}, column {name!r}: structures of {', '.join(fields)}; expected bytes and path")
    for row, value in enumerate(column.to_pylist(), 1):
        data = value.get("bytes") if isinstance(value, dict) else value
        where = (value.get("path") if isinstance(value, dict) else value) or ""
        if isinstance(data, bytes):
            called = f" ({where})" if isinstance(where, str) and where else ""
            files.append(Packed(f"{path}, row {row}{called}", data))
            continue
        file = named_file(folder, str(where), kind)
        if file is None:
            lacking.append(f"row {row}: {str(where)!r}")
        else:
            files.append(file)
    if lacking:
        rest = f" and {len(lacking) - _NAMED:,} more" if len(lacking) > _NAMED else ""
        raise DataError(
            f"{path}, column {name!r}: no such files in {folder}: {', '.join(lacking[:_NAMED])}{rest}; names start in "
            "the folder of the table"
        )
    return files


def named_file(folder: Path, name: str, kind: str) -> Path | None:
    """The file of that name, or of that name with the ending of a picture or sound."""
    whole = folder / name
    if name and whole.is_file():
        return whole
    ends = (whole.with_name(whole.name + end) for end in sorted(SUFFIXES_OF[kind])) if name else ()
    return next((file for file in ends if file.is_file()), None)


def _check_whole(table: Any, names: Sequence[str], path: Path) -> None:
    import pyarrow.compute as pc

    for name in names:
        if table[name].null_count:
            row = pc.index(pc.is_null(table[name]), True).as_py() + 1
            raise DataError(
                f"{path}, row {row}, column {name!r}: no value ({table[name].null_count} rows lack it); fill it in, or "
                "drop the rows"
            )


def _targets(
    request: Request, tables: Mapping[str, Any], targets: Sequence[str]
) -> tuple[dict[str, Array], list[str] | None, list[str]]:
    """Targets by split, the names of classes, and of outputs: class ids, or numbers, or yes and no for each label."""
    options, paths, known = request.options, request.paths, request.known
    if options.label_separator:
        if len(targets) != 1:
            raise OptionError("dataset.label_separator parts the labels of one target; name one, or leave it out")
        rows = {name: _parted(table[targets[0]], options.label_separator) for name, table in tables.items()}
        labels = sorted({label for row in rows[request.base] for label in row}) if known is None else known.targets
        number = {label: i for i, label in enumerate(labels)}
        y = {}
        for name, own in rows.items():
            y[name] = np.zeros((len(own), len(labels)))
            for i, row in enumerate(own):
                strange = next((label for label in row if label not in number), None)
                if strange is not None:
                    raise DataError(
                        f"{paths[name]}, row {i + 1}, column {targets[0]!r}: label {strange!r} is none of "
                        f"{', '.join(labels[:20])}"
                    )
                y[name][i, [number[label] for label in row]] = 1
        return y, None, labels
    raw = {name: target_values(table, targets) for name, table in tables.items()}
    task = options.task or task_of(known)
    if len(targets) == 1 and are_classes(next(iter(raw.values())), task):
        listed = known.classes if known is not None else options.classes
        ids, classes = encode(raw, {name: str(path) for name, path in paths.items()}, listed)
        return ids, classes, list(targets)
    return {name: real_values(column, targets, paths[name]) for name, column in raw.items()}, None, list(targets)


def _parted(column: Any, separator: str) -> list[list[str]]:
    return [[label for part in (text or "").split(separator) if (label := part.strip())] for text in column.to_pylist()]
