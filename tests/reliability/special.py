"""What is no file in the place of every file that bp reads, with every command: a sentence at once.

    python -m tests.reliability.special [--trials N]

Pipes, sockets, devices, directories, and links that lead to /dev/zero, in a circle, or nowhere; in the place of each
file of a run, of a sweep, of the cache, of configs, data, weights, plugins, archives and inputs. Of all combinations N
are tried, spread evenly. None may wait, take more than a second of processor time beyond what the command takes
anyway, or 512 MB, end in a traceback, or make a file where a link points to.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.reliability.asking import begin, prepare
from tests.reliability.commands import LINES
from tests.reliability.harness import folder, trials

PATIENCE = 120  # seconds on the clock after which a command counts as hanging, on a machine that does other work
SECONDS, MEGABYTES = 1.0, 512


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made, suppress(OSError):
        made.bind(os.path.relpath(path))  # a long path does not fit


def a_device(path: Path) -> None:
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5)) if os.geteuid() == 0 else path.symlink_to("/dev/zero")


KINDS: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "socket": a_socket,
    "device": a_device,
    "directory": lambda path: path.mkdir(),
    "link to /dev/zero": lambda path: path.symlink_to("/dev/zero"),
    "link to itself": lambda path: path.symlink_to(path.name),
    "link to nothing": lambda path: path.symlink_to(path.parent / "nothing"),
}
OF_A_RUN = [
    *("", "/run.json", "/config.yaml", "/metrics.jsonl", "/diagnostics.jsonl", "/lock", "/plugins", "/plugins/mine.py"),
    *("/checkpoints", "/checkpoints/best.safetensors", "/checkpoints/last.safetensors", "/batch.npz"),
]
#: what is replaced, and which lines are asked then: those that name one of these words; all, where there are none
PLACES: dict[str, tuple[str, ...]] = {
    **{f"stranger{part}": ("{run}", "{config}", "--runs .", "board", "extends", "link") for part in OF_A_RUN},
    "swept/sweep.json": ("swept", "--runs ."),
    "swept": ("swept", "--runs ."),
    "table.csv": ("table", "weights.yaml", "{tabled}", "explain tabled"),
    "table.yaml": ("table.yaml",),
    "pictures": ("pictures",),
    "pictures/a": ("pictures",),
    "pictures/a/0.png": ("pictures",),
    "cache/images/*/entry.json": ("pictures",),
    "cache/images/*/*.npy": ("pictures",),
    "cache/images/*/lock": ("pictures",),
    "cache": ("pictures",),
    "x.npy": ("arrays",),
    "y.npy": ("arrays",),
    "input.npy": ("input.npy",),
    "weights.safetensors": ("weights.yaml",),
    "packed.zip": ("packed.zip",),
    "mine.py": ("mine.py",),
    "c.yaml": (),
}


def combinations() -> list[tuple[str, str, str]]:
    """(place, kind, line)"""
    found = []
    for place, words in PLACES.items():
        lines = [line for line in LINES if any(word in line for word in words)]
        found += [(place, kind, line) for kind in KINDS for line in lines]
    found += [("c.yaml", kind, f"{line} c.yaml") for kind in KINDS for line in ("check", "config show", "train")]
    found += [("stranger/run.json", kind, line) for kind in KINDS for line in LINES if "{" not in line]
    return found


def wrong(path: Path, place: str, kind: str, line: str) -> tuple[str | None, int]:
    """(what is wrong with how one command took it, its exit code)."""
    (there,) = list(path.glob(place))[:1] or [path / place]
    if there.is_dir() and not there.is_symlink():
        shutil.rmtree(there)
    else:
        there.unlink(missing_ok=True)
    KINDS[kind](there)
    child = begin(path, line, before=lambda: signal.alarm(PATIENCE))
    _, status, used = os.wait4(child.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    seconds, megabytes, said = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, child.said
    if code == -signal.SIGALRM:
        return "hangs", code
    if code not in (0, 1, 2) or "Traceback" in said:
        return f"exit code {code}: {said}", code
    if code and not said.strip():
        return "nothing is said", code
    if code and (seconds > SECONDS or megabytes > MEGABYTES):
        return f"{seconds:.2f} s, {megabytes:.0f} MB: {said}", code
    if (there.parent / "nothing").exists():
        return "a file was made where a link points to", code
    return None, code


def main() -> None:
    every = combinations()
    chosen = random.Random(0).sample(every, min(len(every), trials(len(every))))
    codes, bad = Counter[int](), 0
    with folder() as base:
        made, path = base / "made", base / "trial"
        os.environ |= {"BP_CACHE": str(path / "cache")}
        path.mkdir()
        prepare(path)
        shutil.move(path, made)
        for place, kind, line in chosen:
            shutil.copytree(made, path, symlinks=True)
            found, code = wrong(path, place, kind, line)
            codes[code] += 1
            if found:
                bad += 1
                print(f"{place} is a {kind}, bp {line}: {found}", flush=True)
            shutil.rmtree(path)
    print(f"{len(chosen)} commands of {len(every)} on what is no file: {dict(codes)}, {bad} wrong")
    assert not bad


if __name__ == "__main__":
    main()
