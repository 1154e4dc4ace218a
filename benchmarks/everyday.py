"""What people wait for: `bp train` of a small network, a sweep of a hundred of them, training beside busy processes."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks import driver
from benchmarks.workloads import ROOT

Say = Callable[[str], None]
TRIALS, EPOCHS = 100, 1_000
BP = [sys.executable, "-m", "backprop_cli"]

#: the same by scikit-learn: as many trials, epochs and processes; it stops early unless told not to
JOBLIB = f"""
import sys, warnings
import numpy as np
from joblib import Parallel, delayed

def trial(rate):
    import warnings
    from sklearn.neural_network import MLPClassifier
    warnings.simplefilter("ignore")
    x, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), [0, 1, 1, 0]
    network = MLPClassifier((4,), activation="logistic", solver="sgd", learning_rate_init=rate, batch_size=4,
                            max_iter={EPOCHS}, n_iter_no_change={EPOCHS}, momentum=0, tol=0, random_state=0)
    return network.fit(x, y).loss_

print(len(Parallel(n_jobs=2)(delayed(trial)(rate) for rate in np.linspace(0.1, 2, {TRIALS}))))
"""


def train(rounds: int, say: Say) -> dict[str, Any]:
    """Seconds of training that `bp train configs/xor.yaml` tells, without imports and data."""
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            command = [*BP, "train", str(ROOT / "configs/xor.yaml"), "--runs", folder, "--quiet", "--json"]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            seconds.append(json.loads(done.stdout)["seconds"])
            say(f"bp train configs/xor.yaml: round {number + 1} of {rounds}")
    return {"seconds": statistics.median(seconds), "rounds": seconds}


def sweep(rounds: int, say: Say) -> dict[str, Any]:
    """Seconds of both commands from beginning to end, in turn."""
    found: dict[str, list[float]] = {"bp": [], "joblib": []}
    rates = ",".join(f"{0.1 + 1.9 * i / (TRIALS - 1):.4f}" for i in range(TRIALS))
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            sets = ["--set", f"optimizer.learning_rate={rates}", "--set", f"trainer.epochs={EPOCHS}", "--jobs", "2"]
            commands = {
                "bp": [*BP, "sweep", str(ROOT / "configs/xor.yaml"), *sets, "--runs", folder, "--json"],
                "joblib": [sys.executable, "-c", JOBLIB],
            }
            for name, command in commands.items():
                began = time.perf_counter()
                subprocess.run(command, capture_output=True, check=True)
                found[name].append(time.perf_counter() - began)
        say(f"sweep: round {number + 1} of {rounds}")
    return {name: statistics.median(seconds) for name, seconds in found.items()}


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Inside, so many processes want a processor all the time."""
    command = [sys.executable, "-S", "-c", "while True: pass"]
    spinning = [subprocess.Popen(command) for _ in range(processes)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def beside(rounds: int, say: Say) -> dict[str, Any]:
    """The time of NumPy's kernels over that of compiled ones, beside one and two busy processes; the least over
    networks of different sizes."""
    ratios = {}
    for processes in (1, 2):
        with busy(processes):
            results = [driver.run(name, (), rounds=rounds, budget=6.0, say=say) for name in ("mlp-32", "cnn", "lstm")]
        ratios[str(processes)] = min(
            statistics.median(
                a / b
                for a, b in zip(
                    result["peers"]["bp-numpy"]["seconds"], result["peers"]["bp-compiled"]["seconds"], strict=False
                )
            )
            for result in results
        )
    return ratios
