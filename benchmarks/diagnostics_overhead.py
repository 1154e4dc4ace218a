"""What `trainer.diagnostics` costs: the same training with and without, interleaved; the median of the ratios.

python benchmarks/diagnostics_overhead.py [CONFIG] [--pairs 15] [--set KEY=VALUE …]
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from backprop_cli import build, load_config
from backprop_cli.training.callbacks.diagnostics import DiagnosticsLog
from backprop_cli.training.threads import limited


def seconds(config: str, overrides: list[str], log: Path | None, every: int | None) -> float:
    """Processor seconds of training, without loading and building; other processes disturb them less than the clock."""
    prepared = build.prepare(load_config(config, overrides))
    loop, _ = build.training(prepared, [DiagnosticsLog(log, every)] if log else [])
    with limited(prepared.network, loop.train.batch_size):
        began = time.process_time()
        loop.run()
        return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("config", nargs="?", default="configs/mnist.yaml")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--every", type=int)
    given = parser.parse_args()
    log = Path("diagnostics_overhead.jsonl")
    ratios = []
    for pair in range(given.pairs):
        order = (None, log) if pair % 2 else (log, None)
        taken = {path: seconds(given.config, given.overrides, path, given.every) for path in order}
        log.unlink(missing_ok=True)
        ratios.append(taken[log] / taken[None])
    print(f"{given.config}: with / without, median of {len(ratios)} pairs {statistics.median(ratios):.4f}")
    print("quartiles", " ".join(f"{each:.4f}" for each in statistics.quantiles(ratios, n=4)))


if __name__ == "__main__":
    main()
