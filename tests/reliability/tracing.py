"""A child under strace(1): its system calls are tampered with."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.reliability.harness import bp, start

LIMIT = 400  # calls of one kind; more than any run here makes


def tampered(folder: Path, arguments: tuple[str, ...], call: str, what: str) -> tuple[int, str, bool]:
    """Run `bp` with `-e inject=call:what`: (exit code, stderr, whether it hit anything)."""
    gate, opener = os.pipe()

    def wait() -> None:
        os.close(opener)
        os.read(gate, 1)

    child = start(folder, *arguments, before=wait)
    os.close(gate)
    log = folder / "strace.log"
    command = ["strace", "-f", "-q", "-o", str(log), "-e", f"trace={call}", "-e", f"inject={call}:{what}"]
    with subprocess.Popen([*command, "-p", str(child.pid)], stderr=subprocess.DEVNULL) as tracer:
        status = Path(f"/proc/{child.pid}/status")
        end = time.monotonic() + 10
        while "TracerPid:\t0" in status.read_text():
            assert time.monotonic() < end and tracer.poll() is None, "strace did not attach"
            time.sleep(0.001)
        os.close(opener)
        code = child.wait()
        tracer.wait()
    traced = log.read_text(errors="replace")
    return code, child.said, "(INJECTED" in traced or "killed by SIGKILL" in traced


def every_call(step: int = 1) -> Iterator[int]:
    """1, 1 + step, … for `when=`; the caller stops at the first that hits nothing."""
    return iter(range(1, LIMIT, step))


__all__ = ["bp", "every_call", "tampered"]
