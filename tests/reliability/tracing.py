"""A child under strace(1), which tampers with its system calls: kills it, or lets one fail."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.reliability.harness import bp, start

LIMIT = 400  # calls of one kind; more than any run here makes


def tampered(folder: Path, arguments: tuple[str, ...], call: str, what: str) -> tuple[int, str]:
    """Run `bp` with `-e inject=call:what`: (exit code, stderr)."""
    gate, opener = os.pipe()

    def wait() -> None:
        os.close(opener)
        os.read(gate, 1)

    child = start(folder, *arguments, before=wait)
    os.close(gate)
    command = ["strace", "-f", "-q", "-o", os.devnull, "-e", f"trace={call}", "-e", f"inject={call}:{what}"]
    with subprocess.Popen([*command, "-p", str(child.pid)], stderr=subprocess.DEVNULL) as tracer:
        status = Path(f"/proc/{child.pid}/status")
        end = time.monotonic() + 10
        while "TracerPid:\t0" in status.read_text():
            assert time.monotonic() < end and tracer.poll() is None, "strace did not attach"
            time.sleep(0.001)
        os.close(opener)
        code = child.wait()
        tracer.wait()
    return code, child.said


def every_call(step: int = 1) -> Iterator[int]:
    """1, 1 + step, … for `when=`; the caller stops at the first that changes nothing."""
    return iter(range(1, LIMIT, step))


__all__ = ["bp", "every_call", "tampered"]
