"""Microseconds of a step replayed in C, called from Python with compiled kernels, and with NumPy's; in bursts in turn,
the least of several rounds, as machines are seldom idle. Prints a table in Markdown with its date and load.

python -m benchmarks.replay [workload …]
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import yaml

from backprop_cli import build, load_config
from backprop_cli.engine.kernels import best, described
from backprop_cli.training.loop import Loop
from backprop_cli.training.threads import limited
from benchmarks.peers.bp_peer import config
from benchmarks.workloads import WORKLOADS, save_data

ROUNDS, SECONDS = 12, 0.05  # of each burst
NAMES = ("xor", "mlp-32", "mlp-128", "cnn", "lstm", "transformer")


def loop_of(name: str, folder: Path, kernels: str) -> Loop:
    workload = WORKLOADS[name]
    data = folder / f"{workload.data}.npz"
    if not data.exists():
        save_data(workload.data, data)
    raw = workload.data in ("mnist", "images", "rows", "patterns")
    described = config(workload, data, kernels, raw)
    if name == "xor":  # epochs of one step would measure the ends of epochs
        described["trainer"] |= {"batch_size": 4}
        described["dataset"] = {"source": "synthetic", "name": "xor", "samples": 4_000}
    (folder / "config.yaml").write_text(yaml.safe_dump(described))
    return build.training(build.prepare(load_config(folder / "config.yaml")))[0]


def steps(loop: Loop) -> Iterator[int]:
    """Trains on and on; how many steps were made, again and again."""
    while True:
        before = loop.step
        for _ in loop.steps():
            yield loop.step - before
            before = loop.step
        loop.batch, loop.epoch = 0, loop.epoch + 1


def burst(making: Iterator[int]) -> float:
    """Seconds of a step."""
    made, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < SECONDS:
        made += next(making)
    return passed / made


def measure(name: str, folder: Path) -> list[float]:
    """Microseconds of a step: replayed, called from Python, and by NumPy's kernels."""
    loops = [loop_of(name, folder, kernels) for kernels in (best(), best(), "numpy")]
    loops[1].replay.off = "called from Python"
    least = [float("inf")] * len(loops)
    with limited(loops[0].network, loops[0].train.batch_size):
        making = [steps(loop) for loop in loops]
        for number in range(1 + ROUNDS):
            for i, each in enumerate(making):
                seconds = burst(each)
                least[i] = min(least[i], seconds) if number else least[i]
    return [1e6 * each for each in least]


def main() -> None:
    before = os.getloadavg()[0]
    print("| µs a step | replayed | from Python | NumPy's kernels | Python ÷ replayed |\n|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for name in sys.argv[1:] or NAMES:
            a, b, c = measure(name, Path(folder))
            print(f"| {WORKLOADS[name].title} | {a:,.1f} | {b:,.1f} | {c:,.1f} | {b / a:.2f} |", flush=True)
    now = datetime.now(UTC).date()
    print(f"\n{now}, {described()}; {os.cpu_count()} processors, load {before:.1f} to {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
