"""SIGKILL at the entry of every file system call of a run and of its resumption, one after the other.

    python -m tests.reliability.syscalls [--trials STRIDE]

Needs strace. STRIDE 1 kills at every call, 5 at every fifth.
"""

from __future__ import annotations

import shutil
import signal
from collections import Counter
from pathlib import Path

from tests.reliability.compare import differences, outcome
from tests.reliability.harness import RESUME, TRAIN, begun, bp, folder, options, trials, unbroken, watched
from tests.reliability.tracing import every_call, tampered
from tests.training.test_resume import StopAt

SETTINGS = ("trainer.checkpoint.every_steps=3",)
CALLS = (
    "openat",
    "write",
    "writev",
    "fsync",
    "rename,renameat,renameat2",
    "link,linkat",
    "unlink,unlinkat",
    "mkdir",
    "ftruncate",
    "pwrite64",
    "flock",
)
KILLED = 128 + signal.SIGKILL


def finish(path: Path) -> tuple[int, str]:
    return bp(path, *(RESUME if begun(path) else (*TRAIN, *options(*SETTINGS))))


def main() -> None:
    stride = trials(1)
    expected = unbroken(*SETTINGS)
    killed: Counter[str] = Counter()
    same = 0
    with folder() as base:
        stopped = base / "stopped"
        stopped.mkdir()
        assert bp(stopped, *TRAIN, *options(*SETTINGS), before=watched(StopAt(5)))[0] == 143
        for phase, arguments in (("train", (*TRAIN, *options(*SETTINGS))), ("resume", RESUME)):
            for call in CALLS:
                for number in every_call(stride):
                    path = base / "trial"
                    if phase == "resume":
                        shutil.copytree(stopped, path)
                    else:
                        path.mkdir()
                    code, said, hit = tampered(path, arguments, call, f"signal=KILL:when={number}")
                    assert code == (KILLED if hit else 0), said
                    again, said = finish(path)
                    assert again == 0, f"{phase}, {call} {number}: {said}"
                    different = differences(outcome(path / "run"), expected)
                    if different:
                        print(f"{phase}, killed at {call} {number}: differs in {different}", flush=True)
                    shutil.rmtree(path)
                    if not hit:
                        break
                    killed[f"{phase} {call}"] += 1
                    same += not different
    total = sum(killed.values())
    print(f"killed at {total} system calls ({dict(killed)}): {total - same} lost or different")
    assert total == same > 0


if __name__ == "__main__":
    main()
