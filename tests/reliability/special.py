"""What is no file in the place of every file that bp reads, with every command: a sentence at once.

    python -m tests.reliability.special [--trials N] [--jobs 2] [--part direct]

Pipes, sockets, devices, directories, and links that lead to /dev/zero, in a circle, or nowhere; in the place of each
file of a run, of a sweep, of the cache, of configs, data, weights, plugins, archives and inputs. Of all combinations N
are tried, spread evenly; `--part direct` tries those of commands that do their work in one process, `--part starting`
those of sweeps and notebooks, which start others and take longer. None may take a second on the clock more than it
takes with everything in its place, end in a traceback, or make a file where a link points to; a refused one may take a
second and 512 MB at most. What takes longer is tried twice more: a busy disk does not wait three times, a pipe does.
`bp --version` is measured in turns with them, and a command that sleeps has to be noticed.
"""

from __future__ import annotations

import argparse
import os
import pickle
import random
import shutil
import signal
import socket
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.reliability.asking import begin, cluster, prepare
from tests.reliability.commands import LINES, NOTEBOOK
from tests.reliability.harness import Ended, folder, import_all, keep_bytecode

PATIENCE = 300  # seconds on the clock after which a command counts as hanging, on a machine that does other work
SECONDS, MEGABYTES, TRIES = 1.0, 512, 3
MANY = 200  # trials for which it is worth while to import everything first
STARTING, STARTS = ("sweep", NOTEBOOK), 10.0  # lines that wait for processes of their own, and seconds that may take


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
    "searched/optuna.journal": ("searched", "--runs ."),
    "searched/sweep.json": ("searched",),
    "searched": ("searched", "--runs ."),
    "jobs.yaml": ("jobs.yaml",),
    "mine.lesson.yaml": ("lesson.yaml",),
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
    return list(dict.fromkeys(found))


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


@dataclass
class Tally:
    """What came of the commands that one process tried."""

    codes: Counter[int] = field(default_factory=Counter)
    wrong: int = 0
    again: int = 0  # commands that were repeated
    worst: dict[str, float] = field(default_factory=dict)  # of refused commands, and of `bp --version`

    def note(self, name: str, value: float) -> None:
        self.worst[name] = max(value, self.worst.get(name, 0))

    def add(self, other: Tally) -> None:
        self.codes += other.codes
        self.wrong += other.wrong
        self.again += other.again
        for name, value in other.worst.items():
            self.note(name, value)


def fault(ended: Ended, usual: float) -> str | None:
    """What is wrong with how a command took it; `usual`: the seconds that it takes with everything in its place, or
    that its own processes take to start."""
    if ended.code == 128 + signal.SIGALRM:
        return "hangs"
    if ended.code not in (0, 1, 2) or "Traceback" in ended.said:
        return f"exit code {ended.code}: {ended.said}"
    if ended.code and not ended.said.strip():
        return "nothing is said"
    if ended.clock > SECONDS + usual:
        return f"{ended.clock:.2f} s on the clock: {ended.said}"
    if ended.code and ended.megabytes > MEGABYTES:
        return f"{ended.megabytes:.0f} MB: {ended.said}"
    return None


def try_all(base: Path, chosen: list[tuple[str, str, str]]) -> Tally:
    """Every (place, kind, line) in a folder of its own."""
    path = base / "trial"
    os.environ |= {"BP_CACHE": str(path / "cache")}
    path.mkdir(parents=True)
    prepare(path)
    shutil.move(path, base / "made")
    with cluster(base / "cluster", [line for _, _, line in chosen]):
        return try_each(base, chosen)


def try_each(base: Path, chosen: list[tuple[str, str, str]]) -> Tally:
    tally = Tally()
    slept = asked(base, "c.yaml", "", "runs ls", lambda: time.sleep(SECONDS + 0.5))
    assert fault(slept, 0) and slept.processor < SECONDS, "a command that waits is not noticed"
    for number, (place, kind, line) in enumerate(chosen):
        if number % 10 == 0:
            tally.note("version", asked(base, "c.yaml", "", "--version").clock)
        starts = STARTS if line.startswith(STARTING) else 0.0
        tries, usual = 1, starts
        while (told := fault(ended := asked(base, place, kind, line), usual)) and tries < TRIES:
            tries += 1
            usual = starts + (asked(base, "c.yaml", "", line).clock if ended.code == 0 else 0)
        tally.again += tries > 1
        tally.codes[ended.code] += 1
        if told:
            tally.wrong += 1
            print(f"{place} is a {kind}, bp {line}: {told}", flush=True)
        elif ended.code and not starts:
            for name in ("clock", "processor", "megabytes"):
                tally.note(name, getattr(ended, name))
        if number % 100 == 99:
            print(f"{number + 1} of {len(chosen)}: {dict(tally.codes)}, {tally.wrong} wrong", flush=True)
    return tally


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=1, help="processes that share them")
    parser.add_argument("--part", choices=["all", "direct", "starting"], default="all", help="of the commands")
    given = parser.parse_args()
    every = combinations()
    if given.part != "all":
        every = [each for each in every if each[2].startswith(STARTING) == (given.part == "starting")]
    chosen = random.Random(0).sample(every, min(len(every), given.trials))
    total = Tally()
    if len(chosen) > MANY:
        import_all()
    with folder() as base:
        keep_bytecode(base / "bytecode")
        workers = []
        for job in range(given.jobs):
            worker = os.fork()
            if not worker:
                code = 1
                try:
                    tally = try_all(base / str(job), chosen[job :: given.jobs])
                    (base / f"{job}.tally").write_bytes(pickle.dumps(tally))
                    code = 0
                except BaseException:
                    traceback.print_exc()
                finally:
                    os._exit(code)
            workers.append(worker)
        for job, worker in enumerate(workers):
            assert os.waitpid(worker, 0)[1] == 0
            total.add(pickle.loads((base / f"{job}.tally").read_bytes()))
    worst = dict.fromkeys(("clock", "processor", "megabytes", "version"), 0.0) | total.worst  # none of those that start
    print(
        f"{len(chosen)} commands of {len(every)} on what is no file: {dict(total.codes)}, {total.wrong} wrong; refused "
        f"ones took at most {worst['clock']:.2f} s on the clock, {worst['processor']:.2f} s of processor time and "
        f"{worst['megabytes']:.0f} MB, bp --version in turns with them {worst['version']:.2f} s; {total.again} repeated"
    )
    assert not total.wrong


if __name__ == "__main__":
    main()
