"""What is no file in the place of every file that bp reads, with every command: a sentence at once.

    python -m tests.reliability.special [--trials N]

Pipes, sockets, devices, directories, and links that lead to /dev/zero, in a circle, or nowhere; in the place of each
file of a run, of a sweep, of the cache, of configs, data, weights, plugins, archives and inputs. Of all combinations N
are tried, spread evenly. None may take a second on the clock more than it takes with everything in its place, end in a
traceback, or make a file where a link points to; a refused one may take a second and 512 MB at most. What exceeds a
second once is tried twice more: a busy disk does not wait three times, a pipe does. `bp --version` is measured in turns
with them, and a command that sleeps has to be noticed.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.reliability.asking import begin, prepare
from tests.reliability.commands import LINES
from tests.reliability.harness import Ended, folder, trials

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


def asked(base: Path, place: str, kind: str, line: str, before: Callable[[], object] = lambda: None) -> Ended:
    """How a command took it that one place holds something else, or, where `kind` is none, that all is there."""
    path = base / "trial"
    shutil.copytree(base / "made", path, symlinks=True)
    try:
        (there,) = list(path.glob(place))[:1] or [path / place]
        if kind in KINDS:
            if there.is_dir() and not there.is_symlink():
                shutil.rmtree(there)
            else:
                there.unlink(missing_ok=True)
            KINDS[kind](there)

        def limited() -> None:
            signal.alarm(PATIENCE)
            before()

        ended = begin(path, line, before=limited).end()
        assert not (there.parent / "nothing").exists(), "a file was made where a link points to"
        return ended
    finally:
        shutil.rmtree(path)


def wrong(ended: Ended, usual: float) -> str | None:
    """What is wrong with how a command took it; `usual`: the seconds that it takes with everything in its place."""
    if ended.code == 128 + signal.SIGALRM:
        return "hangs"
    if ended.code not in (0, 1, 2) or "Traceback" in ended.said:
        return f"exit code {ended.code}: {ended.said}"
    if ended.code and not ended.said.strip():
        return "nothing is said"
    if ended.clock > SECONDS + (0 if ended.code else usual) or (ended.code and ended.megabytes > MEGABYTES):
        return f"{ended.clock:.2f} s on the clock, {ended.megabytes:.0f} MB: {ended.said}"
    return None


def main() -> None:
    every = combinations()
    chosen = random.Random(0).sample(every, min(len(every), trials(len(every))))
    codes, bad, again = Counter[int](), 0, 0
    usual, refused, version = dict[str, float](), [Ended(1, "", 0, 0, 0)], []
    with folder() as base:
        path = base / "trial"
        os.environ |= {"BP_CACHE": str(path / "cache")}
        path.mkdir()
        prepare(path)
        shutil.move(path, base / "made")

        def quickest(place: str, kind: str, line: str, before: Callable[[], object] = lambda: None) -> Ended:
            """The quickest of up to three times, the first that takes less than a second."""
            nonlocal again
            tries: list[Ended] = []
            while len(tries) < 3 and not (tries and tries[-1].clock < SECONDS + usual.get(line, 0)):
                tries.append(asked(base, place, kind, line, before))
            again += len(tries) - 1
            return min(tries, key=lambda ended: ended.clock)

        slept = quickest("c.yaml", "", "runs ls", lambda: time.sleep(SECONDS + 0.5))
        assert wrong(Ended(1, "no", 0, slept.clock, 0), 0) and slept.processor < SECONDS, "a hang is not noticed"
        for number, (place, kind, line) in enumerate(chosen):
            if line not in usual:
                usual[line] = quickest("c.yaml", "", line).clock
            if number % 10 == 0:
                version.append(asked(base, "c.yaml", "", "--version").clock)
            ended = quickest(place, kind, line)
            codes[ended.code] += 1
            refused += [ended] if ended.code else []
            told = wrong(ended, usual[line])
            if told:
                bad += 1
                print(f"{place} is a {kind}, bp {line}: {told}", flush=True)
            if number % 100 == 99:
                print(f"{number + 1}: {dict(codes)}, {bad} wrong", flush=True)
    most = [max(getattr(ended, name) for ended in refused) for name in ("clock", "processor", "megabytes")]
    print(
        f"{len(chosen)} commands of {len(every)} on what is no file: {dict(codes)}, {bad} wrong; refused ones took at "
        f"most {most[0]:.2f} s on the clock, {most[1]:.2f} s of processor time and {most[2]:.0f} MB; `bp --version` in "
        f"turns with them at most {max(version):.2f} s; {again} were repeated"
    )
    assert not bad


if __name__ == "__main__":
    main()
