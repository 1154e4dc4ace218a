"""kill -9 at random moments, every other one aimed at a save; then again while it resumes.

In seven of eight trials some of the descriptors 0 to 2 are closed, in every combination: the next file that is opened
gets such a number, and it must be neither the lock nor a checkpoint.

python -m tests.reliability.kill --trials 200
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from backprop_cli.runs.lock import is_held
from tests.reliability.compare import differences, outcome
from tests.reliability.harness import RESUME, TRAIN, Child, begun, bp, folder, options, start, trials, unbroken

CLOSED = [closed for size in range(4) for closed in combinations(range(3), size)]
SETTINGS = ("trainer.epochs=6", "trainer.checkpoint.every_steps=3")


def kill(child: Child, path: Path, rng: random.Random, aimed: bool, seconds: float) -> str:
    """Kill the child; returns what it was doing. `seconds` is what a run takes from when it holds its lock."""
    checkpoints = path / "run" / "checkpoints"
    if aimed or rng.random() < 0.9:
        wait_for_lock(path / "run")
    end = time.monotonic() + seconds * (3 if aimed else rng.random())
    while time.monotonic() < end:
        if aimed and checkpoints.is_dir() and any(name.endswith(".tmp") for name in os.listdir(checkpoints)):
            time.sleep(rng.choice([0, 0, 0.0002, 0.0005, 0.001, 0.002]))
            break
    saving = checkpoints.is_dir() and any(name.endswith(".tmp") for name in os.listdir(checkpoints))
    os.kill(child.pid, signal.SIGKILL)
    code = child.wait()
    assert code in (0, 128 + signal.SIGKILL), child.said
    if code == 0:
        return "too late"
    if not (path / "run").exists():
        return "before it began"
    return "while saving" if saving else "elsewhere"


def close(handles: Sequence[int]) -> None:
    for handle in handles:
        os.close(handle)


def wait_for_lock(run: Path) -> float:
    """Until some process works on the run; the moment that was."""
    end = time.monotonic() + 10
    while not is_held(run) and time.monotonic() < end:
        time.sleep(0.001)
    return time.monotonic()


def main() -> None:
    count = trials(200)
    expected = unbroken(*SETTINGS)
    with folder() as path:
        child = start(path, *TRAIN, *options(*SETTINGS))
        began = wait_for_lock(path / "run")
        assert child.wait() == 0
        seconds = time.monotonic() - began
    moments: Counter[str] = Counter()
    same = 0
    for trial in range(count):
        rng = random.Random(trial)
        with folder() as path:
            for _ in range(rng.randint(1, 4)):
                command = RESUME if begun(path) else (*TRAIN, *options(*SETTINGS))
                child = start(path, *command, before=lambda closed=CLOSED[trial % 8]: close(closed))
                moments[kill(child, path, rng, trial // 8 % 2 == 0, seconds)] += 1
            command = RESUME if begun(path) else (*TRAIN, *options(*SETTINGS))
            code, said = bp(path, *command, before=lambda closed=CLOSED[trial % 8]: close(closed))
            assert code == 0, said
            different = differences(outcome(path / "run"), expected)
            same += not different
            if different:
                print(f"trial {trial}: differs in {different}", flush=True)
    late = moments.pop("too late", 0)
    kills = f"{sum(moments.values())} kills ({dict(moments)}) and {late} that came too late"
    print(f"{count} trials with {kills}: {same}/{count} identical, 0 lost")
    assert same == count


if __name__ == "__main__":
    main()
