"""What `trainer.diagnostics` costs: one training whose stretches of 100 steps are made with it and without, in turn.

    python benchmarks/diagnostics_overhead.py [CONFIG] [--set KEY=VALUE …]

Neighbouring stretches are compared, so that both meet the same machine, in processor time; the median of the ratios is
printed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from backprop_cli import build, load_config
from backprop_cli.training.callbacks.diagnostics import EVERY, DiagnosticsLog
from backprop_cli.training.loop import Callback, Loop
from backprop_cli.training.threads import limited


class Alternate(Callback):
    """Takes diagnostics out and puts them back every EVERY steps, and keeps the time of each stretch."""

    def __init__(self, diagnostics: DiagnosticsLog) -> None:
        self.diagnostics = diagnostics
        self.seconds: dict[bool, list[float]] = {True: [], False: []}

    def start(self, loop: Loop) -> None:
        self.on = True
        self.began = time.process_time()

    def step(self, loop: Loop, loss: float) -> None:
        if loop.step % EVERY == 0:
            self.seconds[self.on].append(time.process_time() - self.began)
            self.on = not self.on
            loop.callbacks = [each for each in loop.callbacks if each is not self.diagnostics]
            if self.on:
                loop.callbacks = [self.diagnostics, *loop.callbacks]
                self.diagnostics.watch(loop)
            else:
                self.diagnostics.leave()
            self.began = time.process_time()

    def epoch(self, loop: Loop, row: dict[str, float]) -> None:
        if loop.train.steps_per_epoch > EVERY:
            self.began = float("nan")  # a stretch with an evaluation in it compares with no other


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("config", nargs="?", default="configs/mnist.yaml")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        diagnostics = DiagnosticsLog(Path(folder) / "diagnostics.jsonl")
        alternate = Alternate(diagnostics)
        prepared = build.prepare(load_config(given.config, given.overrides))
        loop, _ = build.training(prepared, [diagnostics, alternate])
        with limited(prepared.network, loop.train.batch_size):
            loop.run()
    pairs = zip(alternate.seconds[True][1:], alternate.seconds[False][1:], strict=False)  # the first one warms up
    ratios = [a / b for a, b in pairs if a == a and b == b]
    low, middle, high = statistics.quantiles(ratios, n=4)
    step = statistics.median(each for each in alternate.seconds[False] if each == each) / EVERY
    print(
        f"{given.config}: {step * 1e6:.0f} µs a step; with / without: median {middle:.4f}, "
        f"quartiles {low:.4f} {high:.4f}, {len(ratios)} pairs"
    )


if __name__ == "__main__":
    main()
