"""Real processes without the price of starting Python: `bp` in a fork of this one.

Each child runs the command's own main() with its own arguments, working directory and stderr, and is killed,
traced or starved like any process. The parent has imported everything and never starts a thread.
"""

from __future__ import annotations

import argparse
import gc
import os
import pkgutil
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import backprop_cli
from backprop_cli import load_config
from backprop_cli.cli import main as command_line
from backprop_cli.cli import ui
from backprop_cli.cli.main import main
from backprop_cli.commands import train
from backprop_cli.commands.resume import resume
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.training.loop import Callback
from tests.forked import LIBRARIES
from tests.reliability.compare import EVERYTHING, outcome

os.environ.setdefault("BP_STATE", tempfile.mkdtemp(prefix="bp-state-"))  # what is trained here is no user's

TRACEBACK = 99  # exit code of a child that met a bug
TRIES = 3  # of a command that took too long


@dataclass
class Ended:
    """How a `bp` ended, and what it took."""

    code: int  # 128 + n where signal n ended it
    said: str
    processor: float  # seconds of processor time
    clock: float  # seconds on the clock, less those in which it could have run but other processes had the processors
    megabytes: float  # at most, of memory


@dataclass
class Child:
    """A running `bp`."""

    pid: int
    errors: Path
    began: float  # on the clock

    def wait(self) -> int:
        """Its exit code; 128 + n where signal n ended it."""
        return self.end().code

    def end(self) -> Ended:
        """How it ended. Its time on the clock is that of an idle machine: what remains after the kernel's count of how
        long its first thread was ready and not running (sched-stats.rst in the kernel's documentation) is computing,
        and waiting for anything else: a pipe, a lock, a disk, a thread."""
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        passed, queued = time.monotonic() - self.began, 0.0
        with suppress(FileNotFoundError):  # elsewhere than on Linux
            queued = int(Path(f"/proc/{self.pid}/task/{self.pid}/schedstat").read_text().split()[1]) / 1e9
        _, status, used = os.wait4(self.pid, 0)
        code = 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        return Ended(code, self.said, used.ru_utime + used.ru_stime, passed - queued, used.ru_maxrss / 1024)

    @property
    def said(self) -> str:
        return self.errors.read_text(errors="replace")


def start(folder: Path, *arguments: str, before: Callable[[], object] = lambda: None) -> Child:
    """`bp` with these arguments, in this folder; `before` is called in the child first."""
    errors = folder / f"stderr-{time.monotonic_ns()}"
    # opened here: in the child, a fault that strace injects may hit it, and nobody would hear of it
    handles = os.open(os.devnull, os.O_WRONLY), os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    began = time.monotonic()
    pid = os.fork()
    if pid:
        for handle in handles:
            os.close(handle)
        return Child(pid, errors, began)
    code = TRACEBACK
    try:
        os.chdir(folder)
        for number, handle in enumerate(handles, start=1):
            os.dup2(handle, number)
            os.close(handle)
        sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
        ui.err.file = sys.stderr
        program = import_module("backprop_cli.__main__")
        sys.modules["__main__"] = program  # what the processes of a sweep import, and not this harness
        sys.argv = [str(program.__file__), *arguments]
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


def quickest(attempt: Callable[[], Ended], seconds: float) -> Ended:
    """The first of up to three attempts that takes less than so many seconds on the clock, else the last: a machine
    that does other work is not slow three times, a pipe to which nobody writes is."""
    for _ in range(TRIES - 1):
        ended = attempt()
        if ended.clock < seconds:
            return ended
    return attempt()


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


UNSUITABLE = ("__main__", "sklearn", "board.app", "cluster", "mpi")  # modules that start threads or need an extra
LATE = ("statistics", "multiprocessing.spawn", "PIL.ImageOps", "matplotlib.backends.backend_svg", "pyarrow.dataset")


def import_all() -> None:
    """Import what commands import when they need it, so that thousands of children find it there."""
    for info in pkgutil.walk_packages(backprop_cli.__path__, "backprop_cli."):
        if not info.name.endswith(UNSUITABLE) and ".cluster." not in info.name:
            with suppress(ImportError):  # of an extra
                import_module(info.name)
    for name in (*LATE, "onnx", "optuna"):
        with suppress(ImportError):
            import_module(name)
    gc.freeze()


def keep_bytecode(folder: Path) -> None:
    """Let Python processes that are started from here keep the bytecode of modules in a folder, and find it there."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder)


def trials(default: int) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=default)
    return parser.parse_args().trials


for _library in (*LIBRARIES, "pandas"):  # imported once for all children, like what a run needs, below
    import_module(_library)
with folder() as _warm:
    train.train(load_config(EVERYTHING, ["trainer.epochs=1"]), run_dir=_warm / "run")
    resume(RunDirectory(_warm / "run"), epochs=2)
    kept, ui.err.file = ui.err.file, StringIO()
    with redirect_stdout(StringIO()):
        command_line.run(["train", str(EVERYTHING), "--run-dir", str(_warm / "other"), "--dry-run", "--quiet"], False)
    ui.err.file = kept
gc.collect()
gc.freeze()  # which spares each child a copy of all objects
