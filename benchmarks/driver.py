"""Runs the peers of a workload side by side, each in a process of its own, round by round in turn."""

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

from benchmarks.machine import Others
from benchmarks.workloads import ROOT, WORKLOADS, XOR_EPOCHS, save_data

Say = Callable[[str], None]
STEADY = 10  # steps before rounds are timed: until then peers compile, record steps and choose threads
FEWEST = 4  # timed rounds, however long they take
MODULES = {"bp": "numpy", "gemm": "numpy", "torch": "torch", "jax": "jax", "keras": "keras", "sklearn": "sklearn"}
OURS = ("bp-numpy", "bp-compiled")


class Worker:
    """A peer's process: `python -m benchmarks.task PEER WORKLOAD DATA`, with `settings` in its environment."""

    def __init__(self, peer: str, name: str, data: Path, **settings: str) -> None:
        self.peer, self.seconds, self.used = peer, list[float](), list[float]()
        self.score: float | None = None
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.task", peer, name, str(data)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | settings,
        )
        self.about: str | None = None

    def ready(self) -> None:
        """Wait until it is prepared."""
        self.about = self._answer()

    def ask(self, what: str) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self.process.stdout is not None and self.process.stderr is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(self.process.stderr.read().strip().splitlines()[-1:] or ["ended"])
        return json.loads(line)

    def round(self, *, timed: bool = True) -> None:
        seconds, used = self.ask("round")
        if timed:
            self.seconds.append(seconds)
            self.used.append(used)

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def missing(peer: str) -> str | None:
    """Why a peer cannot take part, or None."""
    import importlib.util

    base, _, variant = peer.partition("-")
    needed = [MODULES[base], *{"tf": ["tensorflow"], "jax": ["jax"]}.get(variant, [])]
    absent = [name for name in needed if importlib.util.find_spec(name) is None]
    return f"{peer}: {' and '.join(absent)} not installed" if absent else None


def run(name: str, peers: Sequence[str], *, rounds: int, budget: float, say: Say) -> dict[str, Any]:
    """A, B, C, A, B, C, … : `rounds` timed rounds each, or as many as fit into `budget` seconds, at least FEWEST."""
    workload = WORKLOADS[name]
    chosen = [*OURS, *(["gemm"] if workload.gemms else []), *(peer for peer in workload.peers if peer in peers)]
    steps = XOR_EPOCHS if workload.family == "xor" else workload.steps
    skipped = [why for peer in chosen if (why := missing(peer))]
    with Others() as others, tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.npz"
        save_data(workload.data, data)
        workers: list[Worker] = []
        for peer in (peer for peer in chosen if not missing(peer)):
            worker = Worker(peer, name, data)
            try:
                worker.ready()  # one after the other: several that compile at once would slow each other
                for _ in range(-(-STEADY // steps)):  # of every peer alike
                    worker.round(timed=False)
                workers.append(worker)
            except (RuntimeError, OSError) as error:
                skipped.append(f"{peer}: {error}")
                worker.close()
        try:
            for number in range(rounds):
                for worker in workers:
                    if number >= FEWEST and sum(worker.seconds) > budget:
                        continue
                    worker.round()
                    if number == 0:  # after as many epochs each
                        worker.score = worker.ask("accuracy")
                say(f"{name}: round {number + 1} of {rounds}")
        finally:
            for worker in workers:
                worker.close()
    return {
        "title": workload.title,
        "steps_per_round": steps,
        "peers": {worker.peer: _summary(worker, workers, steps) for worker in workers},
        "skipped": skipped,
        "others": round(others.busy, 2),
    }


def _summary(worker: Worker, workers: Sequence[Worker], steps: int) -> dict[str, Any]:
    ours = {each.peer: each for each in workers if each.peer in OURS}
    return {
        "about": worker.about,
        "rounds": len(worker.seconds),
        "us_per_step": 1e6 * statistics.median(worker.seconds) / steps,
        "cpu_us_per_step": 1e6 * statistics.median(worker.used) / steps,
        "seconds": worker.seconds,
        "accuracy": worker.score,
        "ratio": {name: _ratio(worker.seconds, each.seconds) for name, each in ours.items()},
    }


def _ratio(theirs: Sequence[float], ours: Sequence[float]) -> float:
    """The median over rounds of their time over ours: above 1, bp is faster."""
    return statistics.median(a / b for a, b in zip(theirs, ours, strict=False))
