"""Real processes without the price of starting Python: `bp` in a fork of this one.

Each child runs the command's own main() with its own arguments, working directory and stderr, and is killed,
traced or starved like any process. The parent has imported everything and never starts a thread.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from backprop_cli import load_config
from backprop_cli.cli import main as command_line
from backprop_cli.cli import ui
from backprop_cli.cli.main import main
from backprop_cli.commands import train
from backprop_cli.commands.resume import resume
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.training.loop import Callback
from tests.reliability.compare import EVERYTHING, outcome

os.environ.setdefault("BP_STATE", tempfile.mkdtemp(prefix="bp-state-"))  # what is trained here is no user's

TRACEBACK = 99  # exit code of a child that met a bug


@dataclass
class Child:
    """A running `bp`."""

    pid: int
    errors: Path

    def wait(self) -> int:
        """Its exit code; 128 + n where signal n ended it."""
        status = os.waitpid(self.pid, 0)[1]
        return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

    @property
    def said(self) -> str:
        return self.errors.read_text(errors="replace")


def start(folder: Path, *arguments: str, before: Callable[[], object] = lambda: None) -> Child:
    """`bp` with these arguments, in this folder; `before` is called in the child first."""
    errors = folder / f"stderr-{time.monotonic_ns()}"
    # opened here: in the child, a fault that strace injects may hit it, and nobody would hear of it
    handles = os.open(os.devnull, os.O_WRONLY), os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    pid = os.fork()
    if pid:
        for handle in handles:
            os.close(handle)
        return Child(pid, errors)
    code = TRACEBACK
    try:
        os.chdir(folder)
        for number, handle in enumerate(handles, start=1):
            os.dup2(handle, number)
            os.close(handle)
        sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
        ui.err.file = sys.stderr
        sys.argv = ["bp", *arguments]
        before()
        main()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def bp(folder: Path, *arguments: str, before: Callable[[], object] = lambda: None) -> tuple[int, str]:
    """Run to the end: (exit code, stderr)."""
    child = start(folder, *arguments, before=before)
    return child.wait(), child.said


TRAIN = ("train", str(EVERYTHING), "--run-dir", "run", "--quiet")
RESUME = ("train", "--resume", "run", "--quiet")


def options(*settings: str) -> list[str]:
    return [word for each in settings for word in ("--set", each)]


def watched(*callbacks: Callback) -> Callable[[], None]:
    """For `before`: the child's training gets these callbacks, too."""

    def change() -> None:
        plain = train.train

        def with_callbacks(*arguments: Any, **named: Any) -> Any:
            return plain(*arguments, **named | {"callbacks": [*named["callbacks"], *callbacks]})

        train.train = with_callbacks

    return change


@contextmanager
def folder() -> Iterator[Path]:
    """A fresh directory, removed at the end."""
    path = Path(tempfile.mkdtemp(prefix="bp-reliability-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def unbroken(*settings: str) -> dict:
    """What a run ends in that nothing happens to."""
    with folder() as path:
        code, said = bp(path, *TRAIN, *options(*settings))
        assert code == 0, said
        return outcome(path / "run")


def begun(path: Path) -> bool:
    """Whether the run's directory has appeared; if so, it must be whole."""
    if not (path / "run").exists():
        return False
    assert load_config(path / "run" / "config.yaml")
    assert RunDirectory(path / "run").id == "run"
    return True


def clean(code: int, said: str, unheard: bool = False) -> bool:
    """Whether a command failed as it should: exit code 1, the cause in one line, no traceback. `unheard`: the fault
    may have hit the writing of that very line."""
    lines = [line for line in said.splitlines() if line.strip()]
    return code == 1 and (len(lines) == 1 or (unheard and not lines)) and "Traceback" not in said


def trials(default: int) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=default)
    return parser.parse_args().trials


with folder() as _warm:  # imports, once for all children, what a run needs
    train.train(load_config(EVERYTHING, ["trainer.epochs=1"]), run_dir=_warm / "run")
    resume(RunDirectory(_warm / "run"), epochs=2)
    kept, ui.err.file = ui.err.file, StringIO()
    with redirect_stdout(StringIO()):
        command_line.run(["train", str(EVERYTHING), "--run-dir", str(_warm / "other"), "--dry-run", "--quiet"], False)
    ui.err.file = kept
