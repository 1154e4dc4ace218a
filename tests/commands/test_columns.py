"""What a column can be called: the names that a metric takes under its options, too."""

from __future__ import annotations

import pytest

from backprop_cli.commands.columns import near


@pytest.mark.large
@pytest.mark.parametrize("name", ["f1", "f1_macro", "precision_macro", "recall_binary", "top_5", "top_3"])
def test_the_names_of_a_metric_under_its_options(name: str) -> None:
    assert f"validation/{name}" in near(f"validation/{name}")


@pytest.mark.large
@pytest.mark.parametrize("name", ["f1_nobody", "top_x", "accuracy_3"])
def test_what_no_metric_is_called(name: str) -> None:
    assert f"validation/{name}" not in near(f"validation/{name}")
