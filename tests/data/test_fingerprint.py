"""The digest of a dataset: the same for the same data, another for other data, cheap."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_cli.data.dataset import Dataset, Split
from backprop_cli.data.fingerprint import fingerprint


def dataset(x: np.ndarray, y: np.ndarray) -> Dataset:
    return Dataset("some", "here", {"train": Split(x, y)})


@given(st.integers(1, 200), st.integers(0, 199), st.integers(1, 255))
def test_a_changed_value_shape_or_dtype_changes_it(rows: int, row: int, change: int) -> None:
    x, y = np.arange(rows * 3, dtype=np.uint8).reshape(rows, 3), np.arange(rows)
    before = fingerprint(dataset(x, y))
    assert fingerprint(dataset(x.copy(), y.copy())) == before
    other = x.copy()
    other[row % rows, 1] ^= change
    assert fingerprint(dataset(other, y)) != before
    assert fingerprint(dataset(x, y.astype(np.int32))) != before
    assert fingerprint(dataset(x.reshape(rows, 3, 1), y)) != before


LARGE = """
import sys
import numpy as np
from backprop_cli.data.dataset import Dataset, Split
from backprop_cli.data.fingerprint import fingerprint
x = np.load(sys.argv[1], mmap_mode="r")
peak = lambda: int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
before = peak()  # KiB; ru_maxrss would count the process that started this one
fingerprint(Dataset("some", "here", {"train": Split(x, x[:, 0])}))
print(peak() - before)
"""


@pytest.mark.process
def test_it_reads_a_few_rows_of_a_large_map(tmp_path: Path) -> None:
    np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (200_000, 1000))  # sparse, 800 MB
    command = [sys.executable, "-c", LARGE, str(tmp_path / "x.npy")]
    grown = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert grown * (1 if sys.platform == "darwin" else 1024) < 200e6  # macOS counts bytes, Linux KiB
