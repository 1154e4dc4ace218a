"""Values that a network cannot take as they are: too large, times of day, errors of a spreadsheet."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_cli.config import load_config
from backprop_cli.data.dataset import Dataset, Split
from backprop_cli.data.files.layout import Layout
from backprop_cli.data.files.values import as_written
from backprop_cli.data.finite import check_magnitude, check_range
from backprop_cli.data.look import file_source, look_at_file
from backprop_cli.errors import DataError, OptionError
from backprop_cli.model.build import prepare
from backprop_cli.registry import make

FLOAT32 = np.dtype(np.float32)


def source(path: Path, **options: Any) -> Dataset:
    loaded = make("source", {"source": "files", "path": path, "target": "y", **options}, key="source")
    return loaded.load(0, path.parent)  # type: ignore[no-any-return]  # a source's


def table(path: Path, cells: list[str], name: str = "a", count: int = 40) -> Path:
    rows = [f"{cells[i % len(cells)]},{i}.5" for i in range(count)]
    path.write_text(f"{name},y\n" + "\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize("column", ["a", "y"])
def test_a_number_beyond_float32_is_named_with_its_place(column: str, tmp_path: Path) -> None:
    rows = [f"{i}.25,{i % 7}.5" for i in range(40)]
    rows[11] = "-1e302,1.5" if column == "a" else "1.5,-1e302"
    path = tmp_path / "t.csv"
    path.write_text("a,y\n" + "\n".join(rows) + "\n")
    text = "dataset: {source: files, path: t.csv, target: y}\narchitecture: [{type: dense, units: 1}]\nloss: mse\n"
    (tmp_path / "c.yaml").write_text(text)
    said = rf"t\.csv, row 12, column '{column}': -1e\+302 is beyond ±3\.4e\+38, the largest number of float32; repair"
    with pytest.raises(DataError, match=said):
        prepare(load_config(tmp_path / "c.yaml"))
    prepare(load_config(tmp_path / "c.yaml", ["dtype=float64"]))
    look = look_at_file(file_source(path, target="y"))
    assert "-1e+302 is beyond ±3.4e+38" in look.column(column).notes[0]


@given(exponents=st.lists(st.floats(-300, 300), min_size=1, max_size=20), sign=st.sampled_from([-1, 1]))
def test_only_what_float32_cannot_hold_is_refused(exponents: list[float], sign: int) -> None:
    x = sign * 10.0 ** np.array(exponents)[:, None]
    with np.errstate(over="ignore"):
        beyond = np.flatnonzero(np.isinf(x.astype(np.float32))[:, 0])
    if len(beyond):
        with pytest.raises(DataError, match=rf"here, row {beyond[0] + 1}, column 'a': "):
            check_magnitude(x, FLOAT32, "here", ["a"])
    else:
        check_magnitude(x, FLOAT32, "here", ["a"])
    check_range(Dataset("it", "files", {"train": Split(x, x)}), np.dtype(np.float64))


def test_whole_numbers_that_floats_cannot_tell_apart_are_said(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", [str(2**63 + i) for i in range(40)])
    note = "numbers such as 9.2233720368547758e+18 are rounded to 16 digits; if they are names, dataset.columns: {a: "
    assert any(note in said for said in source(path).notes)
    assert any(note in said for said in look_at_file(file_source(path, target="y")).column("a").notes)
    codes = source(path, columns={"a": {"type": "category"}}, splits={"train": "all"})
    assert codes.input_shape == (40,) and not any("rounded" in said for said in codes.notes)


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 59), st.none() | st.integers(0, 59)), min_size=1))
def test_times_are_hours(times: list[tuple[int, int, int | None]]) -> None:
    written = [f"{h}:{m:02}" + ("" if s is None else f":{s:02}") for h, m, s in times]
    hours = as_written(pa.chunked_array([pa.array([*written, None, "NA"])]), Layout("csv")).to_pylist()
    assert hours[-2:] == [None, None]
    np.testing.assert_allclose(hours[:-2], [h + m / 60 + (s or 0) / 3600 for h, m, s in times], rtol=1e-12)


def test_a_column_of_times_is_said_to_be_hours_and_can_be_categories(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", ["8:00", "14:30", "20:15"])
    dataset = source(path, splits={"train": "all"})
    assert set(dataset.splits["train"].x[:, 0]) == {8, 14.5, 20.25}
    said = "column 'a' is read as hours, as '8:00' looks like a time; dataset.columns: {a: {type: category}}"
    assert any(said in note for note in dataset.notes)
    seen = look_at_file(file_source(path, target="y")).column("a")
    assert seen.type == "time" and seen.notes == [
        "read as hours: 8:00 is 8; dataset.columns: {a: {type: category}} takes its values as categories"
    ]
    assert source(path, columns={"a": {"type": "category"}}).input_shape == (3,)
    dates = table(tmp_path / "dates.csv", ["07.01.2024 04:00", "23.01.2024 16:30"])
    seen = look_at_file(file_source(dates, target="y")).column("a")
    assert (seen.type, seen.notes) == ("date", [])  # whose hours are a part of the day
    moments = pa.array([datetime.time(8, 30), datetime.time(20)] * 10)
    lengths = pa.array([datetime.timedelta(days=3), datetime.timedelta(minutes=-6)] * 10)
    pq.write_table(pa.table({"a": moments, "b": lengths, "y": np.arange(20.0)}), tmp_path / "t.parquet")
    typed = source(tmp_path / "t.parquet", splits={"train": "all"}).splits["train"].x
    assert {tuple(row) for row in typed.tolist()} == {(8.5, 72.0), (20.0, -0.1)}


def test_lengths_with_a_unit_are_refused_with_a_remedy(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", ["3 days", "12 days", "40 days"])
    with pytest.raises(DataError, match=r"row 1, column 'a': '3 days' .*write the number alone, without the unit"):
        source(path)


def test_errors_of_a_spreadsheet_are_gaps_that_are_said(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["a", "y"])
    for i in range(40):
        sheet.append(["#DIV/0!" if i == 3 else "#N/A" if i == 8 else i / 2, i + 0.5])
    book.save(tmp_path / "t.xlsx")
    look = look_at_file(file_source(tmp_path / "t.xlsx", target="y"))
    assert (look.column("a").missing, look.column("a").range) == (
        2,
        [0.0, pytest.approx((sum(range(40)) - 3 - 8) / 2 / 38), 19.5],
    )
    with pytest.raises(DataError, match=r"row 4, column 'a': no value \(a feature; 2 rows lack it\)"):
        source(tmp_path / "t.xlsx")


def test_decimals_of_a_database_are_numbers(tmp_path: Path) -> None:
    prices = [Decimal(f"{i}.25") for i in range(40)]
    pq.write_table(pa.table({"a": prices, "y": prices[::-1]}), tmp_path / "t.parquet")
    dataset = source(tmp_path / "t.parquet", splits={"train": "all"})
    assert dataset.classes is None
    np.testing.assert_array_equal(dataset.splits["train"].x + dataset.splits["train"].y, np.full((40, 1), 39.5))


def test_splits_that_do_not_add_up_are_a_mistake_in_the_config(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", ["1.5", "2.5"])
    for splits, said in (
        ({"train": "80%", "test": "40%"}, "splits add up to 120%"),
        ({"train": 0.8, "test": 20}, "are of two kinds"),
        ({"train": "train[:80%]", "test": "train[70%:]"}, "share 4 rows"),
        ({"train": "train[:oops]"}, "cannot read the slice"),
    ):
        with pytest.raises(OptionError, match=said) as refused:
            source(path, splits=splits)
        assert refused.value.exit_code == 2
