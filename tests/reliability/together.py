"""Many at once: 64 runs that start together, and two processes that resume the same run.

python -m tests.reliability.together --trials 50
"""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

from tests.reliability.compare import EVERYTHING, differences, outcome
from tests.reliability.harness import RESUME, TRAIN, bp, clean, folder, options, start, trials, unbroken, watched
from tests.training.test_resume import StopAt

STARTS = 64
SETTINGS = ("trainer.epochs=150", "trainer.early_stopping.patience=150")  # longer than a lock is waited for


def starts(expected: dict) -> None:
    with folder() as path:
        gate, opener = os.pipe()

        def wait() -> None:
            os.close(opener)
            os.read(gate, 1)  # returns when nobody holds the other end any more

        arguments = ("train", str(EVERYTHING), "--runs", "runs", "--quiet")
        children = [start(path, *arguments, before=wait) for _ in range(STARTS)]
        os.close(gate)
        os.close(opener)
        codes = Counter(child.wait() for child in children)
        runs = list((path / "runs").iterdir())
        same = sum(not differences(outcome(run), expected) for run in runs)
        print(f"{STARTS} starts at once: exit codes {dict(codes)}, {len(runs)} runs, {same} complete and identical")
        assert codes == {0: STARTS}
        assert len(runs) == same == STARTS


def race(path: Path, expected: dict) -> tuple[int, ...]:
    bp(path, *TRAIN, *options(*SETTINGS), before=watched(StopAt(5)))
    moment = time.monotonic() + 0.1

    def wait() -> None:
        while time.monotonic() < moment:
            pass

    children = [start(path, *RESUME, before=wait) for _ in range(2)]
    codes = [child.wait() for child in children]
    for code, child in zip(codes, children, strict=True):
        assert code == 0 or (clean(code, child.said) and "is in use by process" in child.said), child.said
    assert not differences(outcome(path / "run"), expected)
    return tuple(sorted(codes))


def main() -> None:
    count = trials(50)
    starts(unbroken())
    expected = unbroken(*SETTINGS)
    results: Counter[tuple[int, ...]] = Counter()
    for _ in range(count):
        with folder() as path:
            results[race(path, expected)] += 1
    print(f"{count} races of two resumes: exit codes {dict(results)}, every run identical to the unbroken one")
    assert results == {(0, 1): count}


if __name__ == "__main__":
    main()
