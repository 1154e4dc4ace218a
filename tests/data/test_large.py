"""A file larger than its share of memory: a whole epoch in a process of its own, its peak memory measured."""

import subprocess
import sys

import numpy as np
import pytest

EPOCH = """
import resource, sys
from pathlib import Path
import numpy as np
from backprop_cli import registry
from backprop_cli.data.batches import Batches
from backprop_cli.data.fingerprint import fingerprint
from backprop_cli.data.loading import load_dataset
from backprop_cli.engine.kernels import load

folder = Path(sys.argv[1])
options = {"source": "files", "path": folder / "x.npy", "target": "y.npy", "splits": {"train": "train"}}
dataset = load_dataset(registry.make("source", options, key="source"), 0, folder)
fingerprint(dataset)
seen = np.zeros(len(dataset.splits["train"]), bool)
train = Batches(dataset.splits["train"], 128, kernels=load(sys.argv[2]))
for x, y in train.epoch(1):
    seen[x[:, 0].astype(int)] = True
assert seen.all()
# KiB; ru_maxrss would count the process that started this one
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


@pytest.mark.long
@pytest.mark.parametrize("kernels", ["numpy", "compiled"])
def test_an_epoch_over_a_large_file_stays_small(tmp_path, kernels):
    rows, width, block = 120_000, 1600, 2000
    with open(tmp_path / "x.npy", "wb") as file:  # not through a map: the child would count it as its own
        header = {"descr": "<f4", "fortran_order": False, "shape": (rows, width)}
        np.lib.format.write_array_header_1_0(file, header)
        x = np.zeros((block, width), np.float32)
        for first in range(0, rows, block):
            x[:, 0] = np.arange(first, first + block)
            file.write(x.tobytes())
    np.save(tmp_path / "y.npy", np.zeros(rows, np.int64))
    (tmp_path / "epoch.py").write_text(EPOCH)
    with open(tmp_path / "x.npy", "rb") as file:  # into the page cache, as large pages where the system has them
        while file.read(1 << 24):
            pass
    command = [sys.executable, tmp_path / "epoch.py", tmp_path, kernels]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) * 1024 < 0.75 * rows * width * 4
