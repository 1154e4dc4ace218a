"""Measure how long a large table takes until an epoch has begun, and how much memory: 1 million rows of 30 columns.

    python scripts/measure_large_table.py

Writes a CSV of 24 columns of numbers, 5 of ten categories each and a target into a temporary folder, and starts a
process that reads it, encodes it, and trains one batch, as `bp train` does. Prints the seconds that passed, those that
the process had a processor, and its largest memory.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

ROWS = 1_000_000
CONFIG = """
dataset: {source: files, path: large.csv, target: y, transforms: [standardize]}
architecture: [{type: dense, units: 32, activation: relu}, {type: dense, units: 1}, unscale]
loss: mse
optimizer: adam
trainer: {epochs: 1, batch_size: 1024}
"""
CHILD = """
import json, resource, time
started = time.perf_counter()
from backprop_cli.config import load_config
from backprop_cli.model.build import prepare
made = prepare(load_config("large.yaml"))
x, y = next(iter(made.batches("train", training=True).epoch(1)))
made.network.loss(made.network.forward(x, training=True), y)
made.network.backward()
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"seconds": time.perf_counter() - started, "processor": used.ru_utime + used.ru_stime,
                  "megabytes": used.ru_maxrss / 1024}))
"""


def main() -> None:
    rng = np.random.default_rng(0)
    columns = {f"x{i}": pa.array(rng.normal(size=ROWS).round(4)) for i in range(24)}
    kinds = pa.array([f"k{k}" for k in range(10)])
    columns |= {f"c{j}": kinds.take(pa.array(rng.integers(0, 10, ROWS))) for j in range(5)}
    columns["y"] = pa.array((np.asarray(columns["x0"]) + rng.normal(size=ROWS)).round(3))
    with tempfile.TemporaryDirectory() as folder:
        csv.write_csv(pa.table(columns), Path(folder, "large.csv"))
        Path(folder, "large.yaml").write_text(CONFIG)
        done = subprocess.run([sys.executable, "-c", CHILD], cwd=folder, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    print(f"{found['seconds']:.1f} s, {found['processor']:.1f} s of processor time, {found['megabytes']:,.0f} MB")


if __name__ == "__main__":
    main()
