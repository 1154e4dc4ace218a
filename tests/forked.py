"""bp as a process that begins with its libraries imported: importing them is most of the time of a short command.

Each pytest process has a server, which imports what bp uses and forks for every command; and another one without a
network, for tests that are cut off. Arguments, folder, environment, umask, streams and exit code are a process's own.
`backprop_cli.cli.ui` is imported in the fork, since it looks at the environment and at the streams as it is imported.
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from backprop_cli import registry
from backprop_cli.config.types import option_types
from backprop_cli.engine import kernels
from tests.bp_forked import MESSAGE, ask

ROOT = Path(__file__).parents[1]
#: variables that are read when they are needed; others may be read as Python or a library begins
READ_LATE = {
    "BP_CACHE",
    "BP_DEBUG",
    "BP_LIMITS",
    "BP_RUNS",
    "BP_STATE",
    "COLUMNS",
    "HOME",
    "NO_COLOR",
    "PYTEST_CURRENT_TEST",
}
#: where forks of a process with a BLAS are known to work
POSSIBLE = sys.platform == "linux"
LIBRARIES = (
    *("numpy.random", "yaml", "rich.console", "rich.panel", "rich.progress", "rich.table", "pydantic", "platformdirs"),
    *("pyarrow.csv", "pyarrow.parquet", "PIL.Image", "matplotlib.figure", "matplotlib.backends.backend_agg"),
    *("backprop_cli.cli.main", "backprop_cli.engine.kernels.reference"),
    *("matplotlib.backends.backend_svg", "multiprocessing.spawn", "statistics"),
)
#: whose modules all commands share; those of others are imported in the fork
ROOMS = ("config", "engine", "model", "runs", "training", "untrusted", "data.files", "commands", "insight")
EXTRAS = ("cluster", "mpi", "onnx")  # modules that need an extra, or start threads


class Server:
    """The process that forks, as the tests see it."""

    def __init__(self, prefix: Sequence[str] = ()) -> None:
        """`prefix`: a command that starts it in other surroundings, such as without a network."""
        self._folder = tempfile.mkdtemp(prefix="bp-forked-")
        self.address = f"{self._folder}/socket"
        self._environment = dict(os.environ)
        env = os.environ | {"MPLBACKEND": "agg", "PYDANTIC_DISABLE_PLUGINS": "__all__"}  # as bp itself sets them
        ends, self._life = os.pipe()  # the server ends when nobody holds this side open
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
            listening.bind(self.address)
            listening.listen()
            handles = [listening.fileno(), ends]
            command = [*prefix, sys.executable, "-m", "tests.forked", *map(str, handles)]
            self._process = subprocess.Popen(command, pass_fds=handles, cwd=ROOT, env=env)
        os.close(ends)

    def can(self, env: dict[str, str]) -> bool:
        """Whether a fork would see this environment as a new process does."""
        return all(name in READ_LATE for name, _ in self._environment.items() ^ env.items())

    def run(self, arguments: list[str], cwd: Path, env: dict[str, str], timeout: float) -> tuple[int, str, str]:
        """Exit code (minus the signal that ended it), stdout and stderr of `bp ARGUMENTS`."""
        with open(os.devnull) as nothing, tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            asked, pid = ask(self.address, arguments, str(cwd), env, [each.fileno() for each in (nothing, out, err)])
            with asked:
                asked.settimeout(timeout)
                try:
                    code = json.loads(asked.recv(MESSAGE))
                except TimeoutError:
                    os.kill(pid, 9)
                    asked.settimeout(None)
                    asked.recv(MESSAGE)
                    raise subprocess.TimeoutExpired(arguments, timeout) from None
            out.seek(0)
            err.seek(0)
            return code, out.read(), err.read()

    def close(self) -> None:
        os.close(self._life)
        self._process.wait()
        shutil.rmtree(self._folder)


def serve(listening: socket.socket, ends: int) -> None:
    """Fork for whoever connects, until the other side is gone."""
    for name in LIBRARIES:
        import_module(name)
    for room in ROOMS:
        path = import_module(f"backprop_cli.{room}").__path__
        for info in pkgutil.walk_packages(path, f"backprop_cli.{room}."):
            if not any(extra in info.name for extra in EXTRAS):
                import_module(info.name)
    for kind in registry.PACKAGES:
        for cls in registry.classes(kind).values():
            option_types(cls)
    kernels.missing()  # loads those in C
    gc.freeze()
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=__name__)  # threads of BLAS bear a fork
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while ends not in select.select([listening, ends], [], [])[0]:
        asked, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            os.close(ends)
            _answer(asked)
        asked.close()


def _answer(asked: socket.socket) -> None:
    """Fork for a message, tell the number of the process and its exit code, and end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    message, descriptors, _, _ = socket.recv_fds(asked, MESSAGE, 3)
    pid = os.fork() if message else 0
    if message and pid == 0:
        asked.close()
        _become(json.loads(message), descriptors)
    for each in descriptors:
        os.close(each)
    with suppress(BrokenPipeError, ChildProcessError):
        asked.send(json.dumps(pid).encode())
        asked.send(json.dumps(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())
    os._exit(0)


def _become(message: dict[str, Any], descriptors: list[int]) -> None:
    """Run `python -m backprop_cli` in this process, and end it."""
    try:
        for number, each in enumerate(descriptors):
            os.dup2(each, number)
            os.close(each)
        sys.stdin, sys.stdout = open(0), open(1, "w")  # noqa: SIM115  # they last as long as the process
        sys.stderr = open(2, "w", errors="backslashreplace", buffering=1)  # noqa: SIM115
        os.chdir(message["cwd"])
        os.umask(message["umask"])
        os.environ.clear()
        os.environ.update(message["env"])
        gc.unfreeze()
        program = import_module("backprop_cli.__main__")
        sys.modules["__main__"] = program  # what multiprocessing imports again in processes of its own
        sys.argv = [str(program.__file__), *message["arguments"]]
        program.main()
    except SystemExit as done:  # another exit than with a code
        print(done.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
