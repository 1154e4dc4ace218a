"""Looking at data before anything is trained: the columns of a table, and what looks wrong among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli.data.dataset import Dataset
from backprop_cli.data.files import Files
from backprop_cli.data.files.columns import column_names, raw_columns, require, understood
from backprop_cli.data.files.features import learn
from backprop_cli.data.files.guess import guess
from backprop_cli.data.files.layout import UNNAMED, Layout, said
from backprop_cli.data.files.paths import find, format_of
from backprop_cli.data.files.plan import kind_of, planned, problems
from backprop_cli.data.files.table import as_text
from backprop_cli.data.look_column import Column, column_of
from backprop_cli.data.look_files import look_at_files
from backprop_cli.data.sample_files import is_sample
from backprop_cli.errors import DataError, OptionError
from backprop_cli.registry import make

#: what people write before the sum or the mean of a column
_TOTALS = {
    *("total", "totals", "grand total", "subtotal", "sum", "sums", "overall", "average", "mean", "count"),
    *("summe", "gesamt", "gesamtsumme", "insgesamt", "mittelwert", "durchschnitt"),
    *("somme", "moyenne", "suma", "totale", "totaal", "média", "media", "promedio"),
}
_COMPARED = 200  # columns up to which rows and columns are compared with one another


@dataclass
class Look:
    """What is seen of a table."""

    name: str
    rows: int
    columns: list[Column]
    notes: list[str]
    path: Path | None = None
    layout: Layout | None = None
    targets: list[str] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)  # that have files of their own

    def column(self, name: str) -> Column:
        """One of the columns."""
        return next(column for column in self.columns if column.name == name)

    def as_dict(self) -> dict[str, Any]:
        """What is printed with --json."""
        return {
            "name": self.name,
            "path": str(self.path) if self.path else None,
            "rows": self.rows,
            "width": sum(column.width or 0 for column in self.columns if column.role == "feature"),
            "columns": [column.as_dict() for column in self.columns],
            "notes": self.notes,
        }


def look_at_file(source: Files, folder: Path = Path()) -> Look:
    """What is in the table that a source names (of several splits, that of `train`). Raises DataError."""
    paths, _ = source._plan(folder)
    path = paths.get("train") or next(iter(paths.values()))
    form = source.format or format_of(path)
    targets = [source.target] if isinstance(source.target, str) else list(source.target or [])
    layout = guess(path, form, source.layout(), [*targets, *(source.features or source.categorical)])
    names = column_names(path, layout)
    require(path, names, [*targets, *(source.exclude or []), *(source.features or [])], "named here", OptionError)
    texts = as_text(source)
    raw = raw_columns(path, layout, names, names, texts)
    table = understood(raw, layout, texts, path)
    columns = [column_of(name, raw[name], table[name], layout, name in source.categorical) for name in names]
    for column in columns:
        look_at_files(column, raw[column.name], path)
    look = Look(path.name, len(table), columns, said(path, layout, source.layout()), path, layout, targets, [*paths])
    _assign(look, source, targets)
    for column in columns:
        if column.files is not None and (source.images or source.sounds) is None:
            option = "images" if column.type == "picture" else "sounds"
            column.notes.append(f"goes in, and nothing beside it, with dataset.{option}: {column.name}")
    _plan(look, source, table)
    _compare(look, table)
    look.notes.extend(_total(raw))
    return look


def _total(raw: Any) -> Iterator[str]:
    """That the last row is a sum or a mean of the others, as spreadsheets end: a cell of it says so, and none above."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for name in raw.column_names if len(raw) > 1 else ():
        column = raw[name]
        if not pa.types.is_string(column.type):
            continue
        word = column[-1].as_py()
        if word and word.strip().rstrip(":").casefold() in _TOTALS and not pc.any(pc.equal(column[:-1], word)).as_py():
            yield (
                f"row {len(raw):,}, the last, is read as any other, and column {name!r} calls it {word!r}: delete it "
                "from the file if it sums up the rows above"
            )
            return


def _plan(look: Look, source: Files, table: Any) -> None:
    """What dataset.columns makes of columns, as far as all rows tell it. Raises DataError."""
    features = [column.name for column in look.columns if column.role == "feature"]
    wrong = list(problems(source.columns, table.column_names, features, look.targets))
    if wrong:
        raise OptionError("\n".join(f"{look.path}: {problem}" for problem in wrong))
    every = np.arange(len(table))
    for name, options in source.columns.items():
        if name not in features:  # a target, of which only the unit is said
            continue
        column, kind = look.column(name), kind_of(table[name], options)
        plan = planned(options, kind, source.missing, source.categories)
        column.type = plan.type
        if plan.encoding == "target" and plan.type == "category":
            classes = [column.distinct for column in map(look.column, look.targets) if column.range is None]
            plan.targets = [*map(str, range(classes[0] if classes and classes[0] > 2 else len(look.targets)))]
        learn(plan, table[name], name, str(look.path), every, np.zeros((len(table), max(1, len(plan.targets)))))
        column.width = len(plan.names(name))
        column.notes = [f"becomes {plan.told()}"]


def look_at_dataset(dataset: Dataset) -> Look:
    """What is in the training split of a dataset whose x is (N, F) numbers; no columns for images and sequences."""
    import pyarrow as pa

    split = dataset.splits.get("train") or next(iter(dataset.splits.values()))
    rows = sum(len(split) for split in dataset.splits.values())
    if split.x.ndim != 2 or split.x.shape[1] > 10_000 or split.x.dtype.kind not in "iufb":
        return Look(dataset.name, rows, [], [])
    names = dataset.features or [f"x{i + 1}" for i in range(split.x.shape[1])]
    layout = Layout("memory")
    table = {name: pa.chunked_array([pa.array(np.asarray(split.x[:, i]))]) for i, name in enumerate(names)}
    if dataset.classes and split.y.ndim == 1:
        table["y"] = pa.chunked_array([pa.array(np.asarray(dataset.classes, object)[split.y].tolist())])
    elif split.y.ndim == 2 and split.y.shape[1] == 1:
        table["y"] = pa.chunked_array([pa.array(np.asarray(split.y[:, 0]))])
    columns = [column_of(name, values, values, layout, False) for name, values in table.items()]
    look = Look(dataset.name, rows, columns, [], targets=["y"] if "y" in table else [])
    for column in columns:
        column.role = "target" if column.name in look.targets else "feature"
    _compare(look, pa.table(table))
    return look


def _assign(look: Look, source: Files, targets: Sequence[str]) -> None:
    """What each column is used for."""
    for i, column in enumerate(look.columns):
        name = column.name
        unnamed = UNNAMED.fullmatch(name) and (i == 0 or name.startswith("__"))
        if name in targets:
            column.role = "target"
        elif (source.images or source.sounds) is not None:
            column.role = "feature" if name in (source.images, source.sounds) else "unused"
        elif source.text is not None:
            column.role = "feature" if name == source.text else "unused"
        elif source.features is not None:
            column.role = "feature" if name in source.features else "unused"
        elif name in (source.exclude or ()) or unnamed:
            column.role = "unused"


def _compare(look: Look, table: Any) -> None:
    """Note rows that stand twice, and features that give the target away, because they are the same."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if len(look.columns) > _COMPARED or not look.rows:
        return
    try:
        rows = look.rows - len(table.group_by(table.column_names).aggregate([]))
    except pa.ArrowNotImplementedError:  # lists and structures, which a network cannot use as columns either
        return
    if rows:
        look.notes.append(f"{rows:,} rows stand there more than once")
    for target in map(look.column, look.targets):
        for column in look.columns:
            if column is target or column.distinct < 2:
                continue
            if column.values.type == target.values.type and pc.all(pc.equal(column.values, target.values)).as_py():
                column.notes.append(f"equals the target {target.name!r}: leave it out")
            elif (
                column.type == "category" and column.distinct == target.distinct and _one_to_one(table, column, target)
            ):
                column.notes.append(f"tells the target {target.name!r} exactly: leave it out")


def _one_to_one(table: Any, column: Column, target: Column) -> bool:
    return len(table.group_by([column.name, target.name]).aggregate([])) == column.distinct


def balance(look: Look) -> Mapping[str, int]:
    """How often each class is there, of a target that has classes."""
    for target in map(look.column, look.targets):
        if target.frequent is not None:
            return {str(value): count for value, count in target.frequent}
    return {}


def is_table(path: Path, form: str | None = None) -> bool:
    """Whether a file is read as a table."""
    from backprop_cli.data.files.options import TABLES

    try:
        return (form or format_of(find(path, Path()) if is_sample(path) else path)) in TABLES
    except DataError:
        return False


def file_source(path: Path, **options: Any) -> Files:
    """The source of one file, with these options. Raises DataError where there is no such file."""
    source: Files = make("source", {"source": "files", "path": find(path, Path()), **options}, key="source")
    return source
