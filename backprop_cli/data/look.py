"""Looking at data before anything is trained: each column's kind, gaps and values, and what looks wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli.data.dataset import Dataset
from backprop_cli.data.files import Files
from backprop_cli.data.files.columns import column_names, raw_columns, require, understood
from backprop_cli.data.files.layout import UNNAMED, Layout, guess, said
from backprop_cli.data.files.paths import find, format_of
from backprop_cli.data.files.table import MAX_CATEGORIES
from backprop_cli.data.files.values import looks_like_numbers
from backprop_cli.errors import DataError
from backprop_cli.registry import make

BOOLEANS = ({"yes", "no"}, {"true", "false"}, {"y", "n"}, {"t", "f"}, {"ja", "nein"}, {"on", "off"}, {"oui", "non"})
EXAMPLES = 3
_FEWEST = 10  # rows from which on distinct values tell something
_WORDS = 4  # words a value from which on a column is text
_COMPARED = 200  # columns up to which rows and columns are compared with one another


@dataclass
class Column:
    """What is seen of one column. `width` is the number of columns of x that it becomes, None for none."""

    name: str
    type: str  # number, category, boolean, date, text, id, constant
    missing: int
    distinct: int
    examples: list[str]
    width: int | None
    notes: list[str] = field(default_factory=list)
    range: list[Any] | None = None  # of numbers and dates: least, mean, largest
    frequent: list[list[Any]] | None = None  # of the others: the most frequent values and how often they are there
    role: str = "feature"
    values: Any = field(default=None, repr=False)  # the Arrow column as it is read

    def as_dict(self) -> dict[str, Any]:
        """What is printed with --json."""
        keys = ("name", "type", "role", "missing", "distinct", "examples", "width", "range", "frequent", "notes")
        return {key: getattr(self, key) for key in keys}


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

    def column(self, name: str) -> Column:
        """One of the columns."""
        return next(each for each in self.columns if each.name == name)

    def as_dict(self) -> dict[str, Any]:
        """What is printed with --json."""
        return {
            "name": self.name,
            "path": str(self.path) if self.path else None,
            "rows": self.rows,
            "width": sum(each.width or 0 for each in self.columns if each.role == "feature"),
            "columns": [each.as_dict() for each in self.columns],
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
    require(path, names, [*targets, *(source.exclude or []), *(source.features or [])], "named in the config")
    raw = raw_columns(path, layout, names, names, [])
    table = understood(raw, layout, [], path)
    columns = [_column(name, raw[name], table[name], layout, name in source.categorical) for name in names]
    found = Look(path.name, len(table), columns, said(path, layout, source.layout()), path, layout, targets)
    _assign(found, source, targets)
    _compare(found, table)
    return found


def look_at_dataset(dataset: Dataset) -> Look:
    """What is in the training split of a dataset whose x are rows of numbers; no columns for images and sequences."""
    import pyarrow as pa

    split = dataset.splits.get("train") or next(iter(dataset.splits.values()))
    rows = sum(len(each) for each in dataset.splits.values())
    if split.x.ndim != 2 or split.x.shape[1] > 10_000 or split.x.dtype.kind not in "iufb":
        return Look(dataset.name, rows, [], [])
    names = dataset.features or [f"x{i + 1}" for i in range(split.x.shape[1])]
    layout = Layout("memory")
    made = {name: pa.chunked_array([pa.array(np.asarray(split.x[:, i]))]) for i, name in enumerate(names)}
    if dataset.classes and split.y.ndim == 1:
        made["y"] = pa.chunked_array([pa.array(np.asarray(dataset.classes, object)[split.y].tolist())])
    elif split.y.ndim == 2 and split.y.shape[1] == 1:
        made["y"] = pa.chunked_array([pa.array(np.asarray(split.y[:, 0]))])
    columns = [_column(name, values, values, layout, False) for name, values in made.items()]
    found = Look(dataset.name, rows, columns, [], targets=["y"] if "y" in made else [])
    for column in columns:
        column.role = "target" if column.name in found.targets else "feature"
    _compare(found, pa.table(made))
    return found


def _column(name: str, raw: Any, values: Any, layout: Layout, categorical: bool) -> Column:
    import pyarrow as pa
    import pyarrow.compute as pc

    counts = pc.value_counts(values.cast(pa.string()) if pa.types.is_dictionary(values.type) else values).to_pylist()
    counts = [each for each in counts if each["values"] is not None]
    known = len(values) - values.null_count
    numeric = pa.types.is_integer(values.type) or pa.types.is_floating(values.type) or pa.types.is_decimal(values.type)
    dated = numeric and not (
        pa.types.is_integer(raw.type) or pa.types.is_floating(raw.type) or _is_number_text(raw, layout, name)
    )
    notes: list[str] = []
    kind, width = "category", len(counts) or 1
    texts = [str(each["values"]) for each in counts]
    if len(counts) <= 1:
        kind, width = "constant", 1
        notes.append("is empty: leave it out" if not counts else "has one value only: it says nothing")
    elif dated:
        kind, width = "date", 1
    elif pa.types.is_boolean(values.type) or (numeric and {float(each["values"]) for each in counts} == {0.0, 1.0}):
        kind, width = "boolean", 1
    elif numeric and not categorical:
        kind, width = "number", 1
        if _numbers_rows(values, known):
            kind = "id"
            notes.append("numbers the rows: leave it out")
    elif len(counts) == 2 and {text.strip().lower() for text in texts} in BOOLEANS:
        kind = "boolean"
    elif sum(len(text.split()) for text in texts) > _WORDS * len(texts):
        kind = "text"
    elif known == len(counts) >= _FEWEST or (len(counts) > MAX_CATEGORIES and len(counts) > known / 2):
        kind = "id"
        notes.append("has another value in nearly every row: leave it out")
    elif len(counts) > MAX_CATEGORIES and not categorical:
        notes.append(f"has more than {MAX_CATEGORIES} categories: list it under dataset.categorical, or leave it out")
    if not numeric and looks_like_numbers(texts):
        notes.append(f"numbers written as text, such as {texts[0]!r}: set dataset.decimal, thousands or na_values")
    folded = {text.strip().casefold() for text in texts}
    if not numeric and len(folded) < len(set(texts)):
        notes.append("values that differ only in case or in spaces around them")
    if UNNAMED.fullmatch(name):
        notes.append("has no name, as an index that pandas has saved: it is left out")
    if kind == "text":
        width_of: int | None = None
    else:
        width_of = width
    found = Column(name, kind, values.null_count, len(counts), _examples(raw), width_of, notes, values=values)
    if kind == "date" or (numeric and not categorical and counts):
        low_high, mean = pc.min_max(values).as_py(), pc.mean(values).as_py()
        found.range = [low_high["min"], mean, low_high["max"]]
        if kind == "date":
            found.range = [(date(1970, 1, 1) + timedelta(days=float(each))).isoformat() for each in found.range]
    else:
        most = sorted(counts, key=lambda each: (-each["counts"], str(each["values"])))[:5]
        found.frequent = [[str(each["values"]), each["counts"]] for each in most]
    return found


def _is_number_text(raw: Any, layout: Layout, name: str) -> bool:
    """Whether text was read as numbers, and not as dates."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_decimal(raw.type):
        return True
    if not pa.types.is_string(raw.type) or name in layout.dates:
        return False
    return not pc.any(pc.match_substring_regex(raw, r"^\d{4}-\d\d-\d\d$")).as_py()


def _numbers_rows(values: Any, known: int) -> bool:
    import pyarrow as pa

    if not pa.types.is_integer(values.type) or values.null_count or known < _FEWEST:
        return False
    numbers = values.to_numpy()
    return bool(np.array_equal(numbers, numbers[0] + np.arange(len(numbers))))


def _examples(raw: Any) -> list[str]:
    """The first different values, as they are written."""
    found: dict[str, None] = {}
    for value in raw.slice(0, 1000).to_pylist():
        if value is not None:
            found.setdefault(value.decode(errors="replace") if isinstance(value, bytes) else str(value))
        if len(found) == EXAMPLES:
            break
    return [text if len(text) <= 40 else text[:37] + "…" for text in found]


def _assign(found: Look, source: Files, targets: Sequence[str]) -> None:
    """What each column is used for."""
    for i, column in enumerate(found.columns):
        name = column.name
        unnamed = UNNAMED.fullmatch(name) and (i == 0 or name.startswith("__"))
        if name in targets:
            column.role = "target"
        elif source.text is not None:
            column.role = "feature" if name == source.text else "unused"
        elif source.features is not None:
            column.role = "feature" if name in source.features else "unused"
        elif name in (source.exclude or ()) or unnamed:
            column.role = "unused"


def _compare(found: Look, table: Any) -> None:
    """Note rows that stand twice, and features that give the target away, because they are the same."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if len(found.columns) > _COMPARED or not found.rows:
        return
    try:
        rows = found.rows - len(table.group_by(table.column_names).aggregate([]))
    except pa.ArrowNotImplementedError:  # lists and structures, which are no columns for a network either
        return
    if rows:
        found.notes.append(f"{rows:,} rows stand there more than once")
    for target in map(found.column, found.targets):
        for column in found.columns:
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


def balance(found: Look) -> Mapping[str, int]:
    """How often each class is there, of a target that has classes."""
    for target in map(found.column, found.targets):
        if target.frequent is not None:
            return {str(value): count for value, count in target.frequent}
    return {}


def is_table(path: Path, form: str | None = None) -> bool:
    """Whether a file is read as a table."""
    from backprop_cli.data.files import TABLES

    try:
        return (form or format_of(path)) in TABLES
    except DataError:
        return False


def file_source(path: Path, **options: Any) -> Files:
    """The source of one file."""
    found: Files = make("source", {"source": "files", "path": find(path, Path()), **options}, key="source")
    return found
