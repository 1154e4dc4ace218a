"""A process that writes checkpoints while the training goes on.

A thread would take turns with the training, which then waits for Python's lock at every system call; it was measured
to cost twice as much (docs/reliability.md). PyTorch has the same choice
(https://docs.pytorch.org/docs/stable/distributed.checkpoint.html, AsyncCheckpointerType).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from backprop_cli import errors
from backprop_cli.runs.checkpoints.copies import Copies
from backprop_cli.runs.checkpoints.writer import Order, Plan, Writer
from backprop_cli.runs.files import Folder
from backprop_cli.runs.metrics_log import dumps

ROOT = str(Path(__file__).parents[3])
CODE = f"import sys; sys.path.insert(0, {ROOT!r}); from backprop_cli.runs.checkpoints.writer import main; main()"

TRIES = 3  # processes started for one training; if none of them lives, another would only cost time


class Background:
    """Begins with the first order, and ends when the training does, however that ended: then its orders are no more.

    What it has begun it finishes, and holds the run's lock till then. Where it cannot be started, or somebody kills
    it, the training writes by itself.
    """

    def __init__(
        self,
        copies: Copies,
        plans: Mapping[str, Plan],
        folder: Folder,
        keep: int,
        log: int,
        lock: Sequence[int],
    ) -> None:
        """`plans` by the name of the file, of which `keep` last ones are kept; `log` and `lock` are open files."""
        self.writer = Writer(copies.memory, plans, folder, keep, log)
        self._start = {
            "memory": copies.handle,
            "size": copies.size,
            "plans": plans,
            "path": str(folder.path),
            "folder": folder.handle,
            "keep": keep,
            "log": log,
        }
        self._handles = [copies.handle, folder.handle, log, *lock]
        self._tries = TRIES
        self._process: subprocess.Popen[bytes] | None = None
        self._order: Order | None = None

    def begin(self, order: Order) -> None:
        """Write while the caller goes on; it must `wait` before it changes the memory, or begins again.

        Raises RunError where it has to write by itself and cannot.
        """
        try:
            if self._process is None:
                self._process = self._started()
                self._say(self._process, self._start)
            self._say(self._process, order)
        except OSError:
            self.close()
            self.writer.write(order)
        else:
            self._order = order

    def wait(self) -> None:
        """Until everything is written. Raises RunError or CheckpointError if that failed."""
        if self._order is None:
            return
        assert self._process is not None and self._process.stdout is not None
        answer = self._process.stdout.readline()
        order, self._order = self._order, None
        if not answer.endswith(b"\n"):  # it was killed
            self.close()
            self.writer.write(order)
        elif problem := json.loads(answer):
            raise getattr(errors, problem[0])(problem[1])

    def close(self) -> None:
        """Let the process finish and end."""
        process, self._process = self._process, None
        if process is not None:
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):  # what it did not hear any more
                    assert pipe is not None
                    pipe.close()
            process.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        """Raises OSError. Without site packages, which take longer than the rest; away from the terminal, whose signals
        are not for it. A list of processes shows the path."""
        if not self._tries:
            raise ChildProcessError("no process of this kind lives")
        self._tries -= 1
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", CODE, str(self.writer.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=self._handles,
            cwd="/",
            start_new_session=True,
        )

    @staticmethod
    def _say(process: subprocess.Popen[bytes], what: Any) -> None:
        assert process.stdin is not None
        process.stdin.write(dumps(what).encode() + b"\n")
        process.stdin.flush()
