"""`label_noise`: labels of the training split that are drawn again, in the same way each time, and said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop_cli import load_config
from backprop_cli.data.dataset import Dataset
from backprop_cli.data.loading import load_dataset
from backprop_cli.errors import UsageError

SPLITS = {"train": "train[:80%]", "test": "train[80%:]"}


def dataset(told: list[str] | None = None, **options: Any) -> Dataset:
    base = {"source": "synthetic", "name": "blobs", "centers": 5, "samples": 5000, "splits": SPLITS}
    cfg = load_config({"dataset": {**base, **options}, "architecture": [{"type": "dense", "units": 5}], "loss": "mse"})
    return load_dataset(cfg.dataset, cfg.seed, Path(), warn=None if told is None else told.append)


def test_so_many_labels_of_the_training_split_alone_are_drawn_again() -> None:
    told: list[str] = []
    clean, noisy = dataset(), dataset(told, label_noise=0.3)
    wrong = clean.splits["train"].y != noisy.splits["train"].y
    # 0.3 · 4/5 of 4,000, ± 4 standard deviations of a binomial count
    assert abs(wrong.sum() - 960) < 4 * np.sqrt(4000 * 0.24 * 0.76)
    np.testing.assert_array_equal(clean.splits["train"].x, noisy.splits["train"].x)
    np.testing.assert_array_equal(clean.splits["test"].y, noisy.splits["test"].y)
    assert f"{wrong.sum():,} of them are wrong now" in told[0]
    assert noisy.origin["label_noise"]["wrong"] == wrong.sum()


def test_data_seed_decides_which() -> None:
    first, again = (dataset(label_noise=0.5).splits["train"].y for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = dataset(label_noise=0.5, data_seed=1, seed=0).splits["train"].y
    assert (other != first).any()


def test_all_of_them_leaves_nothing_to_learn_and_none_changes_nothing() -> None:
    clean = dataset().splits["train"].y
    assert abs((dataset(label_noise=1).splits["train"].y == clean).mean() - 0.2) < 0.03
    np.testing.assert_array_equal(dataset(label_noise=0).splits["train"].y, clean)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "linear", "centers": None}, "these targets are none"),
        ({"splits": {"test": "train"}}, "there are test only"),
    ],
)
def test_where_it_cannot_be_it_is_refused(options: dict[str, Any], message: str) -> None:
    given = {"label_noise": 0.1, **options}
    base = {"source": "synthetic", "name": "blobs", "samples": 100, "splits": SPLITS, **given}
    base = {key: value for key, value in base.items() if value is not None}
    cfg = load_config({"dataset": base, "architecture": [{"type": "dense", "units": 5}], "loss": "mse"})
    with pytest.raises(UsageError, match=message):
        load_dataset(cfg.dataset, cfg.seed, Path())
