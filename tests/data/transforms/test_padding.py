"""Padding changes no statistic, and is found behind the transforms."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop_cli.data.transforms.normalize import Normalize
from backprop_cli.data.transforms.standardize import Standardize

CONFIG = """
dataset: {{source: files, path: {path}, splits: {{train: 50%, validation: 50%}}, transforms: {transforms}}}
architecture: [{masking}, {{type: lstm, units: 3}}, {{type: dense, units: 1, activation: sigmoid}}]
loss: binary_crossentropy
dtype: float64
trainer: {{epochs: 3, batch_size: 8}}
"""


def sequences(length: int, value: float) -> tuple[np.ndarray, np.ndarray]:
    """Sequences of 2 to 6 steps with two features, far from 0 and of different size, padded to a length."""
    rng = np.random.default_rng(0)
    x = np.full((24, length, 2), value)
    for row in x:
        steps = rng.integers(2, 7)
        row[:steps] = rng.normal([100, -3], [5, 0.1], (steps, 2))
    return x, (np.arange(24) % 2).astype(np.int64)


@pytest.mark.parametrize("kind", [Standardize, Normalize])
@pytest.mark.parametrize("per", ["channel", "position", "all"])
@pytest.mark.parametrize("value", [0.0, -1.0])
def test_only_steps_that_count_are_counted(kind: Any, per: str, value: float) -> None:
    x, y = sequences(9, value)
    made = kind(per=per, mask_value=value)
    made.fit(lambda: ((x[start : start + 5], y) for start in range(0, len(x), 5)), y)
    holed = np.where((x == value).all(-1)[..., None], np.nan, x)
    axes = {"channel": (0, 1), "position": (0,), "all": None}[per]
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
        mean, std = np.nanmean(holed, axis=axes), np.nanstd(holed, axis=axes)
        low, high = np.nanmin(holed, axis=axes), np.nanmax(holed, axis=axes)
    if kind is Standardize:
        wanted = (holed - np.nan_to_num(mean)) / np.where(np.nan_to_num(std) > 0, std, 1)
    else:
        wanted = (holed - low) / np.where(high > low, high - low, 1)
    out = np.empty_like(x)
    made.apply(x, y, out, None)
    np.testing.assert_allclose(out, np.where(np.isnan(holed), value, wanted), rtol=1e-12, atol=1e-12)
    made.apply(x, y, x, None)  # in place
    np.testing.assert_array_equal(x, out)


@pytest.mark.parametrize("transform", ["standardize", "normalize", "{type: standardize, per: all}"])
@pytest.mark.parametrize("value", [0, -1])
def test_more_padding_changes_no_number(bp: Any, tmp_path: Path, transform: str, value: int) -> None:
    found = []
    for length in (6, 20):
        x, y = sequences(length, value)
        np.savez(tmp_path / f"{length}.npz", x=x, y=y)
        masking = f"{{type: masking, mask_value: {value}}}"
        text = CONFIG.format(path=f"{length}.npz", transforms=f"[{transform}]", masking=masking)
        (tmp_path / "c.yaml").write_text(text)
        done = bp("train", "c.yaml", "--run-dir", f"r{length}")
        assert done.code == 0, done.err
        assert "does not count steps that are" in done.err
        found.append(json.loads(bp("eval", f"r{length}", "--json").out)["metrics"]["loss"])
        np.save(tmp_path / f"{length}.npy", x[:4])
        found.append(json.loads(bp("predict", f"r{length}", f"{length}.npy", "--json").out)["outputs"])
        assert f"mask_value: {float(value)}" in (tmp_path / f"r{length}" / "config.yaml").read_text()
    np.testing.assert_allclose(found[0], found[2], rtol=1e-12)
    np.testing.assert_allclose(found[1], found[3], rtol=1e-12)


@pytest.mark.parametrize(
    "transforms",
    [
        "[{type: noise, std: 0.1}]",
        "[{type: scale, offset: 1}]",
        "[{type: reshape, shape: [12]}, standardize, {type: reshape, shape: [6, 2]}]",
    ],
)
def test_padding_that_masking_cannot_find_is_refused(bp: Any, tmp_path: Path, transforms: str) -> None:
    x, y = sequences(6, 0)
    np.savez(tmp_path / "x.npz", x=x, y=y)
    (tmp_path / "c.yaml").write_text(CONFIG.format(path="x.npz", transforms=transforms, masking="masking"))
    done = bp("check", "c.yaml")
    assert done.code == 2
    assert "which masking could not find behind the transforms" in done.err
