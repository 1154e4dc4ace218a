"""Every command with the descriptors 0 to 2 closed in every combination, as a shell's `bp … 0<&- 1>&-` does.

    python -m tests.reliability.descriptors [--trials N]

Of all combinations N are tried. The exit code and the files that are made have to be those of the command with all
three open: what is printed goes nowhere, and never into a file that took the place of a closed descriptor.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

from tests.conftest import ROOT
from tests.reliability.asking import SERVING, cluster, prepare, words_of
from tests.reliability.commands import LINES, NOTEBOOK
from tests.reliability.harness import folder, keep_bytecode, trials

CLOSED = [closed for size in (1, 2, 3) for closed in combinations(range(3), size)]
START = 8  # bytes at the start of a file that say what it is: a line of text in their place would be another's
PATIENCE = 120  # seconds, on a machine that does other work


def done(path: Path, line: str, closed: tuple[int, ...]) -> tuple[int, str, dict[str, bytes]]:
    """(exit code, stderr, the start of each file that was made, by name) of a command."""

    def close() -> None:
        for handle in closed:
            os.close(handle)

    before = set(path.rglob("*"))
    command = [sys.executable, "-m", "backprop_cli", *words_of(line)]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    process = subprocess.Popen(command, cwd=path, env=env, preexec_fn=close, **pipes)
    said = process.communicate(timeout=PATIENCE)[1]
    made = {each for each in path.rglob("*") if each not in before and each.is_file()}
    starts = {
        each.suffix: each.read_bytes()[:START] for each in made if each.suffix in (".svg", ".html", ".npz", ".zip")
    }
    return process.returncode, said.decode(errors="replace"), starts


def main() -> None:
    lines = [line for line in LINES if not line.startswith(NOTEBOOK)]
    lines = [f"{line} --port 0 --embed" if line.split()[0] in SERVING else line for line in lines]  # end with stdin
    every = [(line, closed) for line in lines for closed in CLOSED]
    chosen = random.Random(0).sample(every, min(len(every), trials(len(every))))
    bad, codes, expected = 0, Counter[int](), dict[str, tuple[int, dict[str, bytes]]]()
    with folder() as base:
        keep_bytecode(base / "bytecode")
        made, path = base / "made", base / "trial"
        os.environ |= {"BP_CACHE": str(base / "cache")}
        path.mkdir()
        prepare(path)
        shutil.move(path, made)

        def tried(line: str, closed: tuple[int, ...]) -> tuple[int, str, dict[str, bytes]]:
            shutil.copytree(made, path, symlinks=True)
            try:
                return done(path, line, closed)
            finally:
                shutil.rmtree(path)

        with cluster(base / "cluster", [line for line, _ in chosen]):
            for line, closed in chosen:
                if line not in expected:
                    code, _, starts = tried(line, ())
                    expected[line] = code, starts
                code, said, starts = tried(line, closed)
                codes[code] += 1
                if (code, starts) != expected[line] or "Traceback" in said:
                    bad += 1
                    print(f"bp {line} without {closed}: {code}, expected {expected[line]}: {starts} {said}", flush=True)
    print(f"{len(chosen)} commands of {len(every)} with closed descriptors: {dict(codes)}, {bad} wrong")
    assert not bad


if __name__ == "__main__":
    main()
