"""Disks that are full or broken, missing permissions, no more file handles: a clean end, and on afterwards.

    python -m tests.reliability.faults [--trials STRIDE]

Injected with strace at every (or every STRIDEth) system call of a kind; and, as root, for real: a tmpfs that is too
small, a directory that another user may not write to, a limit of open files.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from backprop_cli.training.loop import Callback, Loop
from tests.reliability.compare import EVERYTHING, differences, outcome
from tests.reliability.harness import RESUME, TRAIN, begun, bp, clean, folder, options, trials, unbroken, watched
from tests.reliability.tracing import every_call, tampered
from tests.training.test_resume import StopAt

SETTINGS = ("trainer.checkpoint.every_steps=3",)
RENAME = "rename,renameat,renameat2"
FAULTS = [
    ("write", "ENOSPC"),
    ("write", "EIO"),
    ("writev", "ENOSPC"),
    ("writev", "EIO"),
    ("fsync", "EIO"),
    ("fsync", "ENOSPC"),
    (RENAME, "EIO"),
    (RENAME, "EACCES"),
    ("openat", "EACCES"),
    ("openat", "EMFILE"),
    ("openat", "EIO"),
    ("mkdir", "EACCES"),
    ("mkdir", "ENOSPC"),
    ("link,linkat", "EPERM"),
    ("link,linkat", "EXDEV"),
    ("link,linkat", "EACCES"),
    ("fsync", "EINVAL"),
    ("unlink,unlinkat", "EIO"),
    ("ftruncate", "EIO"),
    ("flock", "ENOLCK"),
    ("flock", "ENOSYS"),
]
Results = Counter[str]


def judge(path: Path, code: int, said: str, expected: dict, results: Results, what: str) -> None:
    """A command that met a fault: either it went through, or it failed cleanly; and the run can be finished."""
    results["all"] += 1
    if code == 0:
        results["went through"] += 1
    elif clean(code, said, unheard=" at write " in what):
        results["one line, exit code 1"] += 1
    else:
        print(f"{what}: code {code}: {said}", flush=True)
        results["UNCLEAN"] += 1
    again, told = bp(path, *(RESUME if begun(path) else (*TRAIN, *options(*SETTINGS))))
    if again != 0 or differences(outcome(path / "run"), expected):
        print(f"{what}: afterwards code {again}: {told}", flush=True)
        results["LOST"] += 1


def injected(stride: int, expected: dict) -> Results:
    results: Results = Counter()
    with folder() as base:
        stopped = base / "stopped"
        stopped.mkdir()
        assert bp(stopped, *TRAIN, *options(*SETTINGS), before=watched(StopAt(5)))[0] == 143
        for phase, arguments in (("train", (*TRAIN, *options(*SETTINGS))), ("resume", RESUME)):
            for call, error in FAULTS:
                for number in every_call(stride):
                    path = base / "trial"
                    if phase == "resume":
                        shutil.copytree(stopped, path)
                    else:
                        path.mkdir()
                    code, said, hit = tampered(path, arguments, call, f"error={error}:when={number}")
                    if hit:
                        judge(path, code, said, expected, results, f"{phase}, {error} at {call} {number}")
                    shutil.rmtree(path)
                    if not hit:
                        assert code == 0, said
                        break
    return results


class Then(Callback):
    """Does something after a step."""

    def __init__(self, step: int, action: Callable[[], object]) -> None:
        self.at, self.action = step, action

    def step(self, loop: Loop, loss: float) -> None:
        if loop.step == self.at:
            self.action()


def full_disks(expected: dict) -> Results:
    """A tmpfs of every size from nothing to enough."""
    results: Results = Counter()
    for kilobytes in range(4, 180, 8):
        with folder() as base:
            path = base / "small"
            path.mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(path)], check=True)
            try:
                os.symlink(path, base / "run-parent")
                code, said = bp(base, "train", str(EVERYTHING), "--run-dir", "small/run", "-q", *options(*SETTINGS))
                subprocess.run(["mount", "-o", "remount,size=64m", str(path)], check=True)
                judge(path, code, said, expected, results, f"tmpfs of {kilobytes} KiB")
            finally:
                subprocess.run(["umount", "-l", str(path)], check=True)
    return results


def handles(expected: dict) -> Results:
    """So many open files and no more, from some step on, or from the start."""
    results: Results = Counter()
    for step in (0, 1, 4, 7):
        for files in range(3, 14, 2):

            def lower(files: int = files) -> None:
                resource.setrlimit(resource.RLIMIT_NOFILE, (files, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

            with folder() as path:
                before = lower if step == 0 else watched(Then(step, lower))
                code, said = bp(path, *TRAIN, *options(*SETTINGS), before=before)
                judge(path, code, said, expected, results, f"{files} files from step {step}")
    return results


def permissions(expected: dict) -> Results:
    """The user nobody, and a directory that stops being its own after some step."""
    results: Results = Counter()
    for step in (0, 1, 4, 7, 11):
        with folder() as path:
            path.chmod(0o777)
            parts = (path / "run", path / "run/checkpoints")

            def close(parts: tuple[Path, ...] = parts) -> None:
                for part in parts:
                    part.chmod(0o555)

            def become(step: int = step, path: Path = path) -> None:
                if step == 0:
                    path.chmod(0o555)
                os.setuid(65534)
                watched(*([Then(step, close)] if step else []))()

            code, said = bp(path, *TRAIN, *options(*SETTINGS), before=become)
            assert code == 1, said
            for part in (path, *parts):
                if part.exists():
                    part.chmod(0o777)
            judge(path, code, said, expected, results, f"no permission from step {step}")
    return results


def main() -> None:
    stride = trials(1)
    expected = unbroken(*SETTINGS)
    found = {"a limit of open files": handles(expected)}
    if os.geteuid() == 0:
        found |= {"a tmpfs too small": full_disks(expected), "another user's directory": permissions(expected)}
    found["injected"] = injected(stride, expected)
    for name, results in found.items():
        print(f"{name}: {dict(results)}")
        assert results["UNCLEAN"] == results["LOST"] == 0


if __name__ == "__main__":
    main()
