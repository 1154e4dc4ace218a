"""Ctrl-C at a moment of a sweep's life, as a terminal sends it: to every process. It ends with 130, in order.

    python -m tests.reliability.sweeps [--trials 200]

Half of the trials have a TMPDIR whose name is too long for a socket. What Ctrl-C gives before Python itself has begun
is its own affair. The process that prepares the workers finishes its imports before it ends, which takes seconds on a
machine that does other work.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from tests.conftest import ROOT
from tests.reliability.harness import folder, trials

GONE = 20.0  # seconds after which no process may be left
BEGUN, LAST = 0.25, 2.5  # seconds after the start
COMMAND = [sys.executable, "-m", "backprop_cli", "sweep", str(ROOT / "configs/xor.yaml"), "--quiet", "--jobs", "2"]
COMMAND += ["--set", "seed=0..3", "--set", "trainer.epochs=3000", "--runs", "sweeps"]


def alive(session: int) -> list[int]:
    """The processes of a session."""
    found = []
    for each in Path("/proc").iterdir():
        try:
            if each.name.isdigit() and os.getsid(int(each.name)) == session and "Z" not in _state(each):
                found.append(int(each.name))
        except OSError:
            continue
    return found


def _state(process: Path) -> str:
    return (process / "stat").read_text().rpartition(")")[2].split()[0]


def main() -> None:
    count, results = trials(200), Counter[str]()
    with folder() as base:
        long = base / ("x" * 150)
        long.mkdir()
        for number in range(count):
            env = os.environ | {"PYTHONPATH": str(ROOT)} | ({"TMPDIR": str(long)} if number % 2 else {})
            with (base / "errors").open("w+") as errors:
                done = subprocess.Popen(COMMAND, cwd=base, env=env, stdout=-3, stderr=errors, start_new_session=True)
                time.sleep(BEGUN + (LAST - BEGUN) * number / count)
                os.killpg(done.pid, signal.SIGINT)
                code = done.wait(timeout=30)
            said = (base / "errors").read_text()
            deadline = time.monotonic() + GONE
            while (left := alive(done.pid)) and time.monotonic() < deadline:
                time.sleep(0.05)
            if "init_import_site" in said:
                results["before Python had begun"] += 1
                continue
            results[f"exit code {code if code >= 0 else 128 - code}"] += 1
            results["tracebacks"] += "Traceback" in said
            results["processes left"] += bool(left)
            if "Traceback" in said or left or code not in (130, -2, 0):
                print(f"moment {number}: {code}, {left}: {said}", flush=True)
            shutil.rmtree(base / "sweeps", ignore_errors=True)
    print(f"Ctrl-C at {count} moments of a sweep: {dict(results)}")
    assert results["tracebacks"] == results["processes left"] == 0


if __name__ == "__main__":
    main()
