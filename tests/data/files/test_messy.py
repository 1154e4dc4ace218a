"""Every table of the corpus is read to the values that pandas reads when told how, or refused by row and column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas
import pyarrow as pa
import pytest

from backprop_cli import registry
from backprop_cli.data.files.columns import column_names, read_columns
from backprop_cli.data.files.guess import guess
from backprop_cli.data.files.paths import format_of
from backprop_cli.errors import DataError
from tests.data.files import messy

CORPUS = messy.corpus()
READ = [each for each in CORPUS if not each.refused]
REFUSED = [each for each in CORPUS if each.refused]


def test_there_are_sixty_with_names_of_their_own():
    assert len({each.name for each in CORPUS}) == len(CORPUS) >= 60
    assert [each.data for each in messy.corpus()] == [each.data for each in CORPUS]


def by_pandas(each, folder: Path) -> pandas.DataFrame:
    told = {"float_precision": "round_trip", **each.pandas}
    if "thousands" in told and told["thousands"] not in (None, ".", ","):  # pandas takes only one ASCII character
        mark, decimal = told.pop("thousands"), told["decimal"]
        told["converters"] = {"money": lambda text: float(text.replace(mark, "").replace(decimal, "."))}
    frame = pandas.read_csv(folder / each.name, **told)
    frame.columns = [str(name) for name in frame.columns]
    for name, form in each.dates.items():
        moments = pandas.to_datetime(frame[name], format=form)
        frame[name] = (moments - pandas.Timestamp(0)) / pandas.Timedelta(days=1)
    return frame


@pytest.mark.parametrize("each", READ, ids=lambda each: each.name)
def test_the_very_values_that_pandas_reads(tmp_path, each):
    path = tmp_path / each.name
    path.write_bytes(each.data)
    layout = guess(path, format_of(path), {})
    assert layout == guess(path, format_of(path), {})
    names = [name for name in column_names(path, layout) if name != "Unnamed: 0"]
    table = read_columns(path, layout, column_names(path, layout), names, [])
    frame = by_pandas(each, tmp_path)
    assert names == list(frame.columns)
    assert len(table) == len(frame)
    for name in names:
        ours, theirs = table[name], frame[name]
        if pa.types.is_string(ours.type):
            assert ours.to_pylist() == [None if pandas.isna(value) else value for value in theirs.tolist()]
        else:
            np.testing.assert_array_equal(
                ours.cast(pa.float64()).to_numpy(), theirs.to_numpy(np.float64, na_value=np.nan)
            )


@pytest.mark.parametrize("each", REFUSED, ids=lambda each: each.name)
def test_what_cannot_be_read_in_one_way_is_refused_by_row_and_column(tmp_path, each):
    path = tmp_path / each.name
    path.write_bytes(each.data)
    with pytest.raises(DataError, match=each.refused):
        load(path, **each.options)


def load(path, **options):
    options = {"source": "files", "target": "y", "splits": {"train": 1}, "path": path, **options}
    return registry.make("source", options, key="source").load(0, path.parent)


@pytest.mark.large
@pytest.mark.parametrize("each", READ, ids=lambda each: each.name)
def test_each_that_can_be_read_can_be_learnt_from(tmp_path, each):
    if each.name == "one-column.csv":
        return
    path = tmp_path / each.name
    path.write_bytes(each.data)
    options = {"target": "kind", "missing": "mean", **each.options}
    dataset = load(path, **options)
    split = dataset.splits["train"]
    assert len(split.x) in (messy.ROWS, 5)
    assert np.isfinite(split.x).all()
