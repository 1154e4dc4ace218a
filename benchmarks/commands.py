"""Whole commands, imports included: seconds, and the largest resident set."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks.driver import missing
from benchmarks.workloads import ROOT, save_data

Say = Callable[[str], None]
START = {
    "bp --help": ["-m", "backprop_cli", "--help"],
    "import torch": ["-c", "import torch"],
    "import keras (tf)": ["-c", "import keras"],
    "import sklearn.neural_network": ["-c", "import sklearn.neural_network"],
}
NEEDS = {"import torch": "torch", "import keras (tf)": "keras-tf", "import sklearn.neural_network": "sklearn"}


#: a small process between: a child's largest resident set starts at that of the process it was made by
WATCH = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
seconds = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(json.dumps([done.returncode, seconds, peak, done.stderr.decode(errors="replace")[-500:]]))
"""


def measure(command: Sequence[str], environment: dict[str, str] | None = None) -> tuple[float, float]:
    """(seconds, MiB of the largest resident set). Raises RuntimeError if the command fails."""
    known = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"} | (environment or {})
    watch = [sys.executable, "-S", "-c", WATCH, *command]
    done = subprocess.run(watch, capture_output=True, text=True, cwd=ROOT, env=known, check=True)
    code, seconds, peak, said = json.loads(done.stdout)
    if code:
        raise RuntimeError(f"{' '.join(command)}: {said}")
    return seconds, peak


def epoch(peers: Sequence[str], rounds: int, say: Say) -> dict[str, Any]:
    """One epoch of the MNIST MLP at batch 32, from the command line to the finished process."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "mnist.npz"
        save_data("mnist", data)
        commands: dict[str, tuple[list[str], dict[str, str]]] = {}
        for kernels in ("numpy", "compiled"):
            path = Path(folder) / f"{kernels}.yaml"
            path.write_text(yaml.safe_dump(_config(data, kernels)))
            run = [sys.executable, "-m", "backprop_cli", "train", str(path), "--runs", folder, "--quiet"]
            commands[f"bp-{kernels}"] = (run, {})
        script = [sys.executable, str(Path(__file__).parent / "scripts" / "mnist_{}.py"), str(data)]
        commands["torch"] = ([part.format("torch") for part in script], {})
        for backend in ("tf", "jax"):
            named = {"KERAS_BACKEND": {"tf": "tensorflow"}.get(backend, backend)}
            commands[f"keras-{backend}"] = ([part.format("keras") for part in script], named)
        return _in_turn(commands, peers, rounds, say, "one epoch, whole command")


def start(peers: Sequence[str], rounds: int, say: Say) -> dict[str, Any]:
    """A command that does nothing, or the import that every script begins with."""
    commands = {
        name: ([sys.executable, *arguments], {})
        for name, arguments in START.items()
        if name not in NEEDS or (NEEDS[name] in peers and not missing(NEEDS[name]))
    }
    return _in_turn(commands, list(commands), rounds, say, "start")


def _in_turn(
    commands: dict[str, tuple[list[str], dict[str, str]]], peers: Sequence[str], rounds: int, say: Say, what: str
) -> dict[str, Any]:
    chosen = [name for name in commands if name in peers or name.startswith("bp")]
    skipped = [why for name in chosen if name in ("torch", "keras-tf", "keras-jax") and (why := missing(name))]
    chosen = [name for name in chosen if not any(why.startswith(f"{name}:") for why in skipped)]
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in chosen}
    for number in range(rounds):
        for name in chosen:
            found[name].append(measure(*commands[name]))
        say(f"{what}: round {number + 1} of {rounds}")
    return {
        "peers": {
            name: {
                "seconds": statistics.median(seconds for seconds, _ in each),
                "peak_mib": statistics.median(mib for _, mib in each),
            }
            for name, each in found.items()
        },
        "skipped": skipped,
    }


def _config(data: Path, kernels: str) -> dict[str, Any]:
    return {
        "name": f"mnist-{kernels}",
        "dataset": {"source": "files", "path": str(data), "transforms": [{"type": "scale"}]},
        "architecture": [
            {"type": "dense", "units": 128, "activation": "relu"},
            {"type": "dense", "units": 10, "activation": "softmax"},
        ],
        "loss": "sparse_categorical_crossentropy",
        "optimizer": "adam",
        "trainer": {"epochs": 1, "batch_size": 32, "kernels": kernels, "metrics": ["accuracy"]},
    }
