"""What checkpoints and the look for NaN cost the MNIST MLP (784-128-10, Adam, batches of 32).

    python benchmarks/checkpoints.py [--pairs 15] [--set dataset.manual_dir=FOLDER]

Each pair is one epoch without and one epoch with, one after the other, the order alternating, so that what else the
machine does falls on both. Printed are medians of the ratios: by the clock; of the processor time of the thread that
trains, which is what a machine with an idle core loses; and of that of the whole process, the writing thread
included, which is what one without loses.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from backprop_cli import load_config, session
from backprop_cli.training import loop
from backprop_cli.training.loop import Callback, Loop, Row

MNIST = Path(__file__).parents[1] / "configs" / "mnist.yaml"
SETTINGS = ["trainer.epochs=1", "trainer.metrics=[]", "dataset.splits={train: 'train[:55000]'}"]
CLOCKS = {
    "by the clock": time.perf_counter,
    "of the training thread": time.thread_time,
    "of the process": time.process_time,
}


class Stopwatch(Callback):
    """Seconds of the epoch on every clock."""

    def start(self, loop: Loop) -> None:
        self.seconds = [-clock() for clock in CLOCKS.values()]

    def epoch(self, loop: Loop, row: Row) -> None:
        self.seconds = [begun + clock() for begun, clock in zip(self.seconds, CLOCKS.values(), strict=True)]


def epoch(settings: list[str]) -> list[float]:
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        session.train(load_config(MNIST, [*SETTINGS, *settings]), run_dir=Path(folder) / "run", callbacks=[watch])
    return watch.seconds


def compare(name: str, without: Callable[[], list[float]], with_: Callable[[], list[float]], pairs: int) -> None:
    without(), with_()
    measured = []
    for pair in range(pairs):
        if pair % 2:
            b, a = with_(), without()
        else:
            a, b = without(), with_()
        measured.append((a, b))
    print(f"{name}, {pairs} pairs:")
    for i, clock in enumerate(CLOCKS):
        ratios = sorted(b[i] / a[i] for a, b in measured)
        low, median, high = (
            100 * (r - 1) for r in (ratios[pairs // 4], statistics.median(ratios), ratios[-pairs // 4])
        )
        seconds = statistics.median(a[i] for a, _ in measured)
        print(f"  {clock}: {median:+.2f} % (quartiles {low:+.1f}, {high:+.1f}) of {seconds:.2f} s an epoch")


def unchecked(settings: list[str]) -> list[float]:
    """An epoch that does not look at its gradients."""
    look = loop.gradients_finite
    loop.gradients_finite = lambda store: True
    try:
        return epoch(settings)
    finally:
        loop.gradients_finite = look


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--set", action="append", default=[], dest="settings")
    given = parser.parse_args()
    every = [*given.settings, "trainer.checkpoint.every_steps=100"]
    rarely = [*given.settings, "trainer.checkpoint.every_epochs=1"]
    compare("a checkpoint every 100 steps", lambda: epoch(rarely), lambda: epoch(every), given.pairs)
    compare("the look for NaN", lambda: unchecked(rarely), lambda: epoch(rarely), given.pairs)


if __name__ == "__main__":
    main()
