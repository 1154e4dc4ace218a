"""Whether an epoch takes time in proportion to its examples, and no memory beyond them."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.workloads import ROOT

FACTORS, SAMPLES = (1, 4, 16), 10_000


def run(say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Rows of {samples, seconds of an epoch, MiB of private memory beyond the examples}, a process for each."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for factor in FACTORS:
            path = _write(Path(folder), factor * SAMPLES)
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.scaling", str(path)],
                capture_output=True,
                text=True,
                check=True,
                cwd=ROOT,
            )
            rows.append(json.loads(done.stdout))
            say(f"scaling: {factor}× done")
    return rows


def _write(folder: Path, samples: int) -> Path:
    """Images of noise as .npy, which bp maps into memory rather than reads, and a config."""
    rng = np.random.default_rng(0)
    np.save(folder / f"x{samples}.npy", rng.integers(0, 256, (samples, 784), np.uint8))
    np.save(folder / f"y{samples}.npy", rng.integers(0, 10, samples))
    path = folder / f"{samples}.yaml"
    dataset = {
        "source": "files",
        "path": f"x{samples}.npy",
        "target": f"y{samples}.npy",
        "splits": {"train": "train"},
        "transforms": [{"type": "scale"}],
    }
    layers = [
        {"type": "dense", "units": 128, "activation": "relu"},
        {"type": "dense", "units": 10, "activation": "softmax"},
    ]
    config = {
        "dataset": dataset,
        "architecture": layers,
        "loss": "sparse_categorical_crossentropy",
        "trainer": {"batch_size": 32, "epochs": 1_000, "kernels": "numpy"},
    }
    path.write_text(yaml.safe_dump(config))
    return path


def _measure(path: Path) -> dict[str, Any]:
    import time

    from backprop_cli import build, load_config
    from backprop_cli.training.threads import limited

    prepared = build.prepare(load_config(path))
    loop, best = build.training(prepared)
    loop.callbacks.remove(best)
    seconds = []
    with limited(loop.network, 32):
        for _ in range(3):
            began = time.perf_counter()
            loop.run_epoch()
            seconds.append(time.perf_counter() - began)
    status = Path("/proc/self/status").read_text().splitlines()
    private = next(int(line.split()[1]) / 1024 for line in status if line.startswith("RssAnon"))
    train = prepared.dataset.splits["train"]
    beyond = private - (train.x.nbytes + train.y.nbytes) / 2**20
    return {"samples": loop.train.samples, "seconds": min(seconds), "beyond_mib": round(beyond, 1)}


if __name__ == "__main__":
    print(json.dumps(_measure(Path(sys.argv[1]))))
