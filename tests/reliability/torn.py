"""metrics.jsonl torn at any byte, with or without noise, wherever the run was stopped: repaired on resuming.

python -m tests.reliability.torn --trials 60
"""

from __future__ import annotations

import random

from tests.reliability.compare import differences, outcome
from tests.reliability.harness import RESUME, TRAIN, bp, folder, options, trials, unbroken, watched
from tests.training.test_resume import StopAt

SETTINGS = ("trainer.epochs=6",)
STEPS = 36
NOISE = [b"", b"", b"\0" * 100, b'{"epoch": 99, "step": 9999}\n', b'{"epoch": 3, "st', b"\n\n\n", b"\xff\xfe", b"[1]\n"]


def main() -> None:
    count = trials(60)
    expected = unbroken(*SETTINGS)
    repaired = 0
    for trial in range(count):
        rng = random.Random(trial)
        with folder() as path:
            stop = rng.randint(1, STEPS + 5)  # after the last step: a run that is complete
            bp(path, *TRAIN, *options(*SETTINGS), before=watched(StopAt(stop)))
            log = path / "run" / "metrics.jsonl"
            whole = log.read_bytes()
            log.write_bytes(whole[: rng.randint(0, len(whole))] + rng.choice(NOISE))
            code, said = bp(path, *RESUME)
            assert code == 0, said
            different = differences(outcome(path / "run"), expected)
            repaired += not different
            if different:
                print(f"trial {trial}, stopped at {stop}: differs in {different}: {said}", flush=True)
    print(f"{count} trials: {repaired}/{count} repaired, rows and weights identical")
    assert repaired == count


if __name__ == "__main__":
    main()
