"""What checkpoints and the look for NaN cost the MNIST MLP (784-128-10, Adam, batches of 32).

    python benchmarks/checkpoints.py [--epochs 12] [--set KEY=VALUE …]

Within one training, every other 100 steps begin with a checkpoint, and every other step goes without the look; so that
what else the machine does falls on both. Each span is compared with the two beside it; printed are the medians, and
the quartiles of the cost, by the wall's clock and in processor time of the thread that trains. Also printed is what a
checkpoint takes of the processor in the process that writes it.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

from backprop_cli import load_config, session
from backprop_cli.training import loop as loops
from backprop_cli.training.callbacks.recorder import Recorder
from backprop_cli.training.loop import Callback, Loop

MNIST = Path(__file__).parents[1] / "configs" / "mnist.yaml"
SETTINGS = ["trainer.metrics=[]", "dataset.splits={train: 'train[:55000]'}", "trainer.checkpoint.every_minutes=60"]
CLOCKS = {"wall": time.perf_counter, "training thread": time.thread_time}
Times = tuple[list[list[float]], list[list[float]]]  # without and with; in each, what every clock said


class Alternating(Callback):
    """Times spans of some steps; `switch` makes every other one different."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.times: Times = ([], [])

    def start(self, loop: Loop) -> None:
        self.begun = [clock() for clock in CLOCKS.values()]

    def step(self, loop: Loop, loss: float) -> None:
        if loop.step % self.steps:
            return
        span = loop.step // self.steps
        ended = [clock() for clock in CLOCKS.values()]
        self.times[(span - 1) % 2].append([b - a for a, b in zip(self.begun, ended, strict=True)])
        self.begun = [clock() for clock in CLOCKS.values()]
        self.switch(loop, span % 2 == 1)

    def switch(self, loop: Loop, on: bool) -> None:
        """Begin a span with (on) or without."""


class Checkpoints(Alternating):
    def switch(self, loop: Loop, on: bool) -> None:
        if on:
            next(each for each in loop.callbacks if isinstance(each, Recorder)).save(loop)


class Looks(Alternating):
    look = staticmethod(loops.infinite)

    def switch(self, loop: Loop, on: bool) -> None:
        loops.infinite = self.look if on else lambda store: None


def measure(name: str, watch: Alternating, settings: list[str]) -> None:
    before = _of_children()
    with tempfile.TemporaryDirectory() as folder:
        session.train(load_config(MNIST, [*SETTINGS, *settings]), run_dir=Path(folder) / "run", callbacks=[watch])
    without, with_ = (times[len(times) // 20 :] for times in watch.times)
    print(f"{name}: {len(without)} times without, {len(with_)} with")
    for i, clock in enumerate(CLOCKS):
        a, b = ([times[i] for times in each] for each in (without, with_))
        costs = [100 * (2 * y / (x + z) - 1) for x, y, z in zip(a, b, a[1:], strict=False)]
        low, cost, high = quantiles(costs, n=4)
        print(
            f"  {clock}: {1e3 * median(a):.3f} and {1e3 * median(b):.3f} ms, {cost:+.2f} % ({low:+.2f} to {high:+.2f})"
        )
    if spent := _of_children() - before:
        print(f"  the process that writes: {1e3 * spent / len(watch.times[1]):.2f} ms each, its start included")


def _of_children() -> float:
    """Processor time of the processes that this one has started, and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
