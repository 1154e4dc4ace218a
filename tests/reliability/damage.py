"""Checkpoints truncated, bit-flipped, zeroed or deleted: the one before with a warning, or a refusal.

python -m tests.reliability.damage --trials 200
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

from tests.reliability.compare import differences, outcome
from tests.reliability.harness import RESUME, TRAIN, bp, clean, folder, options, trials, unbroken, watched
from tests.training.test_resume import StopAt

SETTINGS = ("trainer.checkpoint.every_steps=1",)
NAMES = ("last", "last-1")


def harm(path: Path, rng: random.Random) -> str:
    """Do something to a file; returns what."""
    data = bytearray(path.read_bytes())
    path.unlink()  # its other name, if it has one, keeps what it holds
    kind = rng.choice(["truncated", "bit-flipped", "zeroed", "deleted"])
    at = rng.randrange(len(data))
    if kind == "truncated":
        path.write_bytes(data[:at])
    elif kind == "bit-flipped":
        data[at] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
    elif kind == "zeroed":
        length = rng.choice([1, 512, 4096, len(data)])
        first = at if length < len(data) else 0
        if not any(data[first : first + length]):
            first = 8  # zeros that become zeros are no damage
        data[first : first + length] = bytes(len(data[first : first + length]))
        path.write_bytes(data)
    return kind


def main() -> None:
    count = trials(200)
    expected = unbroken(*SETTINGS)
    results: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    with folder() as path:
        stopped = path / "stopped"
        stopped.mkdir()
        code, said = bp(stopped, *TRAIN, *options(*SETTINGS), before=watched(StopAt(7)))
        assert code == 143, said
        for trial in range(count):
            rng = random.Random(trial)
            place = path / str(trial)
            shutil.copytree(stopped, place)
            harmed = rng.choice([NAMES[:1], NAMES[:1], NAMES[1:], NAMES])
            for name in harmed:
                kinds[harm(place / "run" / "checkpoints" / f"{name}.safetensors", rng)] += 1
            code, said = bp(place, *RESUME)
            results[judge(place / "run", code, said, "last" in harmed, expected, trial)] += 1
            shutil.rmtree(place)
    print(f"{count} trials, {dict(kinds)}: {dict(results)}")
    assert results["WRONG"] == 0


def judge(run: Path, code: int, said: str, harmed: bool, expected: dict, trial: int) -> str:
    warned = "damaged" in said or "missing" in said or "no checkpoint yet" in said
    if code == 0 and not differences(outcome(run), expected) and (warned or not harmed):
        return "went on, said so, identical" if harmed else "not needed, identical"
    if clean(code, said.splitlines()[-1] if said else "") and "none of its" in said:
        return "refused"
    print(f"trial {trial}: code {code}: {said}", flush=True)
    return "WRONG"


if __name__ == "__main__":
    main()
