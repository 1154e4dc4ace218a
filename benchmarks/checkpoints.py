"""What checkpoints and the look for NaN cost the MNIST MLP (784-128-10, Adam, batches of 32).

    python benchmarks/checkpoints.py [--epochs 12] [--set KEY=VALUE …]

Within one training, some spans of 100 steps begin with a checkpoint, and some steps go without the look: without,
with, with, without, and so on, so that what else the machine does, and what comes every other time, falls on both.
Each is compared with its neighbour; printed are the medians, and the quartiles of the cost, by the wall's clock and in
processor time of the thread that trains.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

from backprop_cli import load_config
from backprop_cli.commands.train import train
from backprop_cli.training import loop as loops
from backprop_cli.training.callbacks.recorder import Recorder
from backprop_cli.training.loop import Callback, Loop

MNIST = Path(__file__).parents[1] / "configs" / "mnist.yaml"
SETTINGS = ["trainer.metrics=[]", "dataset.splits={train: 'train[:55000]'}", "trainer.checkpoint.every_minutes=60"]
CLOCKS = {"wall": time.perf_counter, "training thread": time.thread_time}


class Alternating(Callback):
    """Times spans of some steps; `switch` makes some different. `spans` are the seconds of each, by every clock."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.spans: list[list[float]] = []

    def start(self, loop: Loop) -> None:
        self.begun = [clock() for clock in CLOCKS.values()]

    def step(self, loop: Loop, loss: float) -> None:
        if loop.step % self.steps:
            return
        ended = [clock() for clock in CLOCKS.values()]
        self.spans.append([b - a for a, b in zip(self.begun, ended, strict=True)])
        self.begun = [clock() for clock in CLOCKS.values()]
        self.switch(loop, on(len(self.spans)))

    def switch(self, loop: Loop, on: bool) -> None:
        """Begin a span with (on) or without."""


def on(span: int) -> bool:
    return span % 4 in (1, 2)


class Checkpoints(Alternating):
    def switch(self, loop: Loop, on: bool) -> None:
        if on:
            next(each for each in loop.callbacks if isinstance(each, Recorder)).save(loop)


class Looks(Alternating):
    look = staticmethod(loops.infinite)

    def switch(self, loop: Loop, on: bool) -> None:
        loops.infinite = self.look if on else lambda store: None


def measure(name: str, watch: Alternating, settings: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        train(load_config(MNIST, [*SETTINGS, *settings]), run_dir=Path(folder) / "run", callbacks=[watch])
    spans = watch.spans[len(watch.spans) // 20 // 4 * 4 :]
    pairs = [spans[i : i + 2] if on(i + 1) else spans[i : i + 2][::-1] for i in range(0, len(spans) - 1, 2)]
    print(f"{name}: {len(pairs)} times without and with")
    for i, clock in enumerate(CLOCKS):
        without, with_ = ([pair[which][i] for pair in pairs] for which in (0, 1))
        low, cost, high = quantiles([100 * (b / a - 1) for a, b in zip(without, with_, strict=True)], n=4)
        a, b = 1e3 * median(without), 1e3 * median(with_)
        print(f"  {clock}: {a:.3f} and {b:.3f} ms, {cost:+.2f} % ({low:+.2f} to {high:+.2f})")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--set", action="append", default=[], dest="settings")
    given = parser.parse_args()
    settings = [f"trainer.epochs={given.epochs}", *given.settings]
    measure("a checkpoint every 100 steps", Checkpoints(100), settings)
    measure("the look for NaN", Looks(1), settings)


if __name__ == "__main__":
    main()
