"""SIGINT, SIGTERM and SIGHUP at a moment of the first seconds of a command: its exit code, and no traceback of ours.

    python -m tests.reliability.startup [--trials 300]

The moments are shares of what the command takes on this machine now. What a signal gives before Python has begun is
Python's affair: then there is no line of bp in what it says.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter

from tests.conftest import ROOT
from tests.reliability.harness import folder, trials

BP = [sys.executable, "-m", "backprop_cli"]
COMMANDS = [
    ["--version"],
    ["--help"],
    ["runs", "ls"],
    ["layers"],
    ["check", str(ROOT / "configs/xor.yaml")],
    ["train", str(ROOT / "configs/xor.yaml"), "--quiet", "--epochs", "3"],
    ["config", "schema"],
]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
HEED = 20.0  # seconds within which a signal has to be heeded, on a machine that does other work


def heeding() -> None:
    """Whoever runs this may ignore signals, as nohup does."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)


def main() -> None:
    count, results = trials(300), Counter[str]()
    bad = 0
    with folder() as base:
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        for number in range(count):
            command, sent = COMMANDS[number % len(COMMANDS)], SIGNALS[number % len(SIGNALS)]
            began = time.monotonic()
            subprocess.run([*BP, *command], cwd=base, env=env, stdout=-3, stderr=-3, check=True)
            takes = time.monotonic() - began
            with subprocess.Popen([*BP, *command], cwd=base, env=env, preexec_fn=heeding, **streams) as process:
                time.sleep(takes * number / count)
                process.send_signal(sent)
                try:
                    said = process.communicate(timeout=HEED)[1].decode()
                except subprocess.TimeoutExpired:
                    process.kill()
                    said = "not heeded"
            code = process.returncode if process.returncode >= 0 else 128 - process.returncode
            ours = "backprop_cli/" in said and "Traceback" in said
            before = "Traceback" in said and not ours
            results["before Python had begun" if before else f"{sent.name}: {code}"] += 1
            if ours or said == "not heeded" or (not before and code not in (0, 128 + sent)):
                bad += 1
                print(f"{sent.name} {takes * number / count:.2f} s after {command}: {code}: {said}", flush=True)
    print(f"{count} signals at the start of {len(COMMANDS)} commands: {dict(results)}, {bad} wrong")
    assert not bad


if __name__ == "__main__":
    main()
