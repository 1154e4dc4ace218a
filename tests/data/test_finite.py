"""Looking through files that are larger than a block."""

from pathlib import Path

import numpy as np
import pytest

from backprop_cli.data import finite, gather
from backprop_cli.errors import DataError


@pytest.mark.parametrize("first", [0, 7, 5000])
def test_the_last_value_of_a_mapped_file_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    monkeypatch.setattr(gather, "LARGE_BYTES", 1)
    monkeypatch.setattr(finite, "_BLOCK_BYTES", 10_000)
    x = np.ones((9000, 3), np.float32)
    np.save(tmp_path / "good.npy", x)
    finite.check_array("x", np.load(tmp_path / "good.npy", mmap_mode="r")[first:])
    x[-1, 2] = np.inf
    np.save(tmp_path / "bad.npy", x)
    with pytest.raises(DataError, match=rf"has inf in row {8999 - first}, column 2"):
        finite.check_array("x", np.load(tmp_path / "bad.npy", mmap_mode="r")[first:])
    windows = np.lib.stride_tricks.sliding_window_view(np.load(tmp_path / "good.npy", mmap_mode="r")[:, 0], 11)
    finite.check_array("x", windows[first:])
