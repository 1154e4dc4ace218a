"""What `bp data` knows without a download."""

from pathlib import Path

import pytest

from backprop_cli.data import catalogue
from backprop_cli.errors import BpError, DataError, UnknownNameError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    monkeypatch.setenv("BP_CACHE", str(tmp_path))


@pytest.mark.large
def test_every_listed_dataset_can_be_described() -> None:
    rows = catalogue.listing()
    assert {row["source"] for row in rows} == {"sample", "synthetic", "tfds"}
    assert len({(row["name"], row["source"]) for row in rows}) == len(rows)
    for row in rows:
        about = catalogue.describe(row["name"], row["source"])
        assert (about["name"], about["source"], about["prepared"]) == (row["name"], row["source"], row["prepared"])


def test_every_name_of_tfds_is_listed_on_request() -> None:
    names = {row["name"] for row in catalogue.listing(every=True) if row["source"] == "tfds"}
    assert {"mnist", "iris", "cifar10", "imdb_reviews", "wine_quality"} <= names


def test_a_sample_comes_before_the_tfds_dataset_of_that_name() -> None:
    assert catalogue.describe("iris")["source"] == "sample"
    assert catalogue.describe("iris")["splits"] == {"train": 105, "validation": 23, "test": 22}


@pytest.mark.parametrize(
    ("name", "source", "error", "message"),
    [
        ("mnis", None, UnknownNameError, "did you mean 'mnist'"),
        ("mnist", "sample", UnknownNameError, "did you mean 'mnist5k'"),
        ("moon", "synthetic", UnknownNameError, "did you mean 'moons'"),
        ("moons", "synthetc", UnknownNameError, "did you mean 'synthetic'"),
    ],
)
def test_mistakes_are_named(name: str, source: str | None, error: type[BpError], message: str) -> None:
    with pytest.raises(error, match=message):
        catalogue.describe(name, source)


def test_get_of_what_ships_needs_no_folder() -> None:
    assert catalogue.get("moons")["splits"] == {"train": 1000}
    with pytest.raises(DataError, match="data_dir and manual_dir are for source tfds"):
        catalogue.get("moons", data_dir="somewhere")
