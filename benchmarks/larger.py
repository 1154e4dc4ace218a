"""Whether `bp check` plans the memory that training takes, and how long larger work takes: python -m benchmarks.larger.

Each network trains for some steps in a process of its own, and the private memory that this adds is compared with
`bytes` of `bp check`. Prints a table in Markdown with its date and load.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from backprop_cli.engine.kernels import described
from benchmarks.workloads import ROOT, WORKLOADS

STEPS = 6
#: title, layers, shape of an example, classes, batch, optimizer
Network = tuple[str, list[Any], tuple[int, ...], int, int, dict[str, Any]]

_ADAM: dict[str, Any] = {"type": "adam"}

_CLASSES = {"type": "dense", "units": 10, "activation": "softmax"}
_EMBEDDING = [{"type": "embedding", "input_dim": 100_000, "output_dim": 64}, "global_avg_pool", _CLASSES]
_WORDS = "embedding of 100,000 rows of 64, 32 tokens, batch 64"
_BLOCKS = [
    {"type": "embedding", "input_dim": 80, "output_dim": 128},
    "positional_embedding",
    {
        "repeat": {
            "times": 4,
            "layers": [
                {"residual": ["layer_norm", {"type": "multi_head_attention", "heads": 4, "causal": True}]},
                {
                    "residual": [
                        "layer_norm",
                        {"type": "dense", "units": 512, "activation": "gelu"},
                        {"type": "dense", "units": 128},
                    ]
                },
            ],
        }
    },
    "layer_norm",
    {"type": "dense", "units": 80, "activation": "softmax"},
]
NETWORKS: tuple[Network, ...] = (
    ("MLP 784-1024-1024-10, batch 128", WORKLOADS["mlp-deep"].architecture, (784,), 10, 128, _ADAM),
    ("ResNet-20, 32×32×3, batch 64", WORKLOADS["resnet"].architecture, (32, 32, 3), 10, 64, _ADAM),
    ("transformer, 4 blocks of 128, 64 steps, batch 32", _BLOCKS, (64,), 80, 32, _ADAM),
    ("LSTM 64 → 512, 32 steps, batch 64", [{"type": "lstm", "units": 512}, _CLASSES], (32, 64), 10, 64, _ADAM),
    (f"{_WORDS}, Adam", _EMBEDDING, (32,), 10, 64, _ADAM),
    (f"{_WORDS}, Adam with lazy: true", _EMBEDDING, (32,), 10, 64, _ADAM | {"lazy": True}),
    (f"{_WORDS}, SGD", _EMBEDDING, (32,), 10, 64, {"type": "sgd"}),
)


def write(folder: Path, network: Network) -> Path:
    """Noise to learn, and a config."""
    _, layers, shape, classes, batch, optimizer = network
    rng, n = np.random.default_rng(0), batch * STEPS
    tokens = isinstance(layers[0], dict) and layers[0]["type"] == "embedding"
    x = rng.integers(0, layers[0]["input_dim"], (n, *shape)) if tokens else rng.random((n, *shape), np.float32)
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", rng.integers(0, classes, (n, *shape) if classes == 80 else n))
    dataset = {"source": "files", "path": "x.npy", "target": "y.npy", "splits": {"train": "train"}}
    trainer = {"batch_size": batch, "epochs": 1, "diagnostics": False}
    loss = "sparse_categorical_crossentropy"
    path = folder / "config.yaml"
    config = {"dataset": dataset, "architecture": layers, "loss": loss, "optimizer": optimizer, "trainer": trainer}
    path.write_text(yaml.safe_dump(config))
    return path


def private() -> int:
    """Bytes of memory of this process alone, without what was freed and not yet given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    text = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in text if line.startswith("Private"))


def measure(path: Path) -> dict[str, float]:
    """Bytes that training takes in this process beyond what was there, and seconds of a step."""
    from backprop_cli import build, load_config
    from backprop_cli.training.threads import limited

    prepared = build.prepare(load_config(path))
    before = private() - prepared.network.store.values.nbytes  # they are there by now, and planned
    loop = build.training(prepared)[0]
    with limited(prepared.network, loop.train.batch_size):
        loop.run_epoch()
        taken, began = private() - before, time.perf_counter()
        loop.run_epoch()
        return {"taken": taken, "seconds": (time.perf_counter() - began) / STEPS}


def compared(network: Network) -> str:
    """A row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), network)
        asked = [[sys.executable, "-m", "backprop_cli", "check", str(path), "--json"]]
        asked.append([sys.executable, "-m", "benchmarks.larger", str(path)])
        answers = [subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT) for command in asked]
    planned, found = (json.loads(answer.stdout) for answer in answers)
    mib = [planned["bytes"] / 2**20, found["taken"] / 2**20]
    return f"| {network[0]} | {mib[0]:,.1f} | {mib[1]:,.1f} | {mib[1] / mib[0]:.2f} | {1e3 * found['seconds']:,.1f} |"


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(measure(Path(sys.argv[1]))))
        return
    before = os.getloadavg()[0]
    print("| work | MiB planned | taken | taken ÷ planned | ms a step |\n|---|---:|---:|---:|---:|")
    for network in NETWORKS:
        print(compared(network), flush=True)
    now = datetime.now(UTC).date()
    print(f"\n{now}, {described()}; {os.cpu_count()} processors, load {before:.1f} to {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
