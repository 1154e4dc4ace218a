"""`bp layers`, `bp losses`, `bp data ls`: what one looks for stands where one looks."""

from __future__ import annotations

from collections.abc import Callable

from backprop_cli.config import catalogue
from backprop_cli.data import catalogue as datasets


def test_every_layer_has_its_group() -> None:
    groups = [each["group"] for each in catalogue.listing("layer")]
    assert set(groups) <= set(catalogue.GROUPS)
    assert groups == sorted(groups, key=catalogue.GROUPS.index)


def test_losses_begin_with_those_used_most() -> None:
    found = catalogue.listing("loss")
    most = {each["name"] for each in found if each["group"] == "Used most"}
    assert most > {"mean_squared_error", "binary_crossentropy", "categorical_crossentropy"}
    assert {each["name"] for each in found[: len(most)]} == most


def test_groups_are_headings_and_lines_fit(bp: Callable) -> None:
    listed = bp("layers", COLUMNS="80").out
    assert [group for group in catalogue.GROUPS[1:] if f"\n{group}\n" not in f"\n{listed}"] == []
    assert max(map(len, listed.splitlines())) <= 80
    assert bp("losses").out.startswith("Used most")


def test_every_dataset_has_a_sentence() -> None:
    for row in datasets.listing():
        assert row["about"].endswith(".") and len(row["about"]) > 20, row
