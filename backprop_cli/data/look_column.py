"""One column of a table before anything is trained: its kind, gaps and values, and what looks wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backprop_cli.data.files.layout import UNNAMED, Layout
from backprop_cli.data.files.moments import TIME, day_of
from backprop_cli.data.files.table import MAX_CATEGORIES
from backprop_cli.data.files.values import BOOLEANS, LARGEST, keep_text, looks_like_numbers, no_number, rounded

AS_TEXT = "numbers written as text, such as"
EXAMPLES = 3
_FEWEST = 10  # rows from which on distinct values tell something
_WORDS = 4  # words a value from which on a column is text


@dataclass
class Column:
    """What is seen of one column. `width` is the number of columns of x that it becomes, None for none."""

    name: str
    type: str  # number, category, boolean, date, time, text, id, constant, picture, sound
    missing: int
    distinct: int
    examples: list[str]
    width: int | None
    notes: list[str] = field(default_factory=list)
    range: list[Any] | None = None  # of numbers and dates: least, mean, largest
    frequent: list[list[Any]] | None = None  # of the others: the most frequent values and how often they are there
    files: dict[str, list[list[Any]]] | None = None  # sizes, modes or rates, and how many have them
    role: str = "feature"
    values: Any = field(default=None, repr=False)  # the Arrow column as it is read

    def as_dict(self) -> dict[str, Any]:
        """What is printed with --json."""
        keys = (
            "name",
            "type",
            "role",
            "missing",
            "distinct",
            "examples",
            "width",
            "range",
            "frequent",
            "files",
            "notes",
        )
        return {key: getattr(self, key) for key in (*keys, "notes")}


def column_of(name: str, raw: Any, values: Any, layout: Layout, categorical: bool) -> Column:
    """What is seen of an Arrow column (N,): `raw` as it is written, `values` as it is read."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_nested(values.type):
        return _nested(name, values)
    counts = pc.value_counts(values.cast(pa.string()) if pa.types.is_dictionary(values.type) else values).to_pylist()
    counts = [count for count in counts if count["values"] is not None]
    known = len(values) - values.null_count
    numeric = pa.types.is_integer(values.type) or pa.types.is_floating(values.type) or pa.types.is_decimal(values.type)
    timed = numeric and _is_time(raw)
    dated = numeric and not (
        timed or pa.types.is_integer(raw.type) or pa.types.is_floating(raw.type) or _is_number_text(raw, layout, name)
    )
    notes = _beyond(values, name) if numeric and counts and not (timed or dated or categorical) else []
    kind, width = "category", len(counts) or 1
    spellings = [str(count["values"]) for count in counts]
    if len(counts) <= 1:
        kind, width = "constant", 1
        notes.append("is empty: leave it out" if not counts else "has one value only: it says nothing")
    elif dated:
        kind, width = "date", 1
    elif pa.types.is_boolean(values.type) or (numeric and {float(count["values"]) for count in counts} == {0.0, 1.0}):
        kind, width = "boolean", 1
    elif timed:
        kind, width = "time", 1
        notes.append(f"read as hours: {_examples(raw)[0]} is {_first(values):.6g}; {keep_text(name)}")
    elif numeric and not categorical:
        kind, width = "number", 1
        if _numbers_rows(values, known):
            kind = "id"
            notes.append("numbers the rows: leave it out")
    elif len(counts) == 2 and {text.strip().lower() for text in spellings} in map(set, BOOLEANS):
        kind = "boolean"
    elif sum(len(text.split()) for text in spellings) > _WORDS * len(spellings):
        kind = "text"
    elif known == len(counts) >= _FEWEST or (len(counts) > MAX_CATEGORIES and len(counts) > known / 2):
        kind = "id"
        notes.append("has another value in nearly every row: leave it out")
    elif len(counts) > MAX_CATEGORIES and not categorical:
        notes.append(f"has more than {MAX_CATEGORIES} categories: list it under dataset.categorical, or leave it out")
    if not numeric and looks_like_numbers(spellings):
        row, value, remedy = no_number(values.cast(pa.string()), layout)
        notes.append(f"{AS_TEXT} {value!r} in row {row}: {remedy}")
    folded = {text.strip().casefold() for text in spellings}
    if not numeric and len(folded) < len(set(spellings)):
        notes.append("values that differ only in case or in spaces around them")
    if UNNAMED.fullmatch(name):
        notes.append("has no name, as an index that pandas has saved: it is left out")
    if kind == "text":
        width_of: int | None = None
    else:
        width_of = width
    described = Column(name, kind, values.null_count, len(counts), _examples(raw), width_of, notes, values=values)
    if kind == "date" or (numeric and not categorical and counts):
        low_high, mean = pc.min_max(values).as_py(), pc.mean(values).as_py()
        described.range = [low_high["min"], mean, low_high["max"]]
        if kind == "date":
            described.range = [day_of(day) for day in described.range]
    else:
        most = sorted(counts, key=lambda count: (-count["counts"], str(count["values"])))[:5]
        described.frequent = [[str(count["values"]), count["counts"]] for count in most]
    return described


def _nested(name: str, values: Any) -> Column:
    """A column of structures or lists: pictures as Hugging Face keeps them, or nothing that a network takes."""
    import pyarrow as pa

    fields = {values.type.field(i).name for i in range(values.type.num_fields)}
    known = len(values) - values.null_count
    if pa.types.is_struct(values.type) and {"bytes", "path"} <= fields:
        first = [value for value in values.slice(0, 3).to_pylist() if value is not None]
        shown = [str(picture["path"] or f"{len(picture['bytes'] or b''):,} bytes") for picture in first]
        return Column(name, "picture", values.null_count, known, shown, None, [], values=values)
    notes = [f"holds {values.type}, which is no column for a network: leave it out"]
    return Column(name, "nested", values.null_count, known, [str(values[0].as_py())[:40]], None, notes, values=values)


def _beyond(values: Any, name: str) -> list[str]:
    """What is wrong with numbers that are too large: for float32, or to be told apart."""
    import pyarrow.compute as pc

    ends = pc.min_max(values).as_py()
    largest = max((ends["min"], ends["max"]), key=abs)
    if abs(largest) > LARGEST:
        return [f"{largest:g} is beyond ±{LARGEST:.2g}, which float32 holds: repair it, or set dtype: float64"]
    note = rounded(values, name)
    return [note] if note else []


def _is_time(raw: Any) -> bool:
    """Whether a column that was read as numbers holds times of day or lengths of time."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_time(raw.type) or pa.types.is_duration(raw.type):
        return True
    if not pa.types.is_string(raw.type):
        return False
    return pc.any(pc.match_substring_regex(pc.utf8_trim_whitespace(raw), TIME)).as_py() is True


def _first(values: Any) -> float:
    return float(next(value for value in values.to_pylist() if value is not None))


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
    examples: dict[str, None] = {}
    for value in raw.slice(0, 1000).to_pylist():
        if value is not None:
            examples.setdefault(value.decode(errors="replace") if isinstance(value, bytes) else str(value))
        if len(examples) == EXAMPLES:
            break
    lines = [" ".join(text.split()) for text in examples]
    return [text if len(text) <= 40 else text[:37] + "…" for text in lines]
