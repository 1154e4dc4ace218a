"""A Dask cluster of real processes on loopback: a scheduler, and workers that can be killed."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.conftest import ROOT

PATIENCE = 120.0
#: a process that does not see some folders, as on another machine: empty file systems lie over them
_ALONE = ["unshare", "--map-root-user", "--mount"]
#: where that is not allowed, Python reads this module as it starts
_HIDING = """
import os, sys
hidden = tuple(os.environ["HIDDEN"].split(os.pathsep))
def look(event, arguments):
    if event in ("open", "os.mkdir", "os.listdir", "os.chdir") and arguments and isinstance(arguments[0], str):
        if arguments[0].startswith(hidden):
            raise FileNotFoundError(2, "No such file or directory", arguments[0])
sys.addaudithook(look)
"""


def without(folders: Sequence[Path]) -> list[str]:
    """The beginning of a command that does not see these folders; nothing where that is not allowed."""
    mounts = " && ".join(f"mount -t tmpfs none {shlex.quote(str(folder))}" for folder in folders)
    start = [*_ALONE, "sh", "-c", f'{mounts} && exec "$@"', "sh"]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    return start if subprocess.run([*start, "true"], capture_output=True, check=False).returncode == 0 else []


class Cluster:
    """`with Cluster(folder) as cluster: cluster.worker()`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.workers: list[subprocess.Popen[bytes]] = []
        self._env = os.environ | {"PYTHONPATH": str(ROOT), "BP_STATE": str(folder / "state")}

    def __enter__(self) -> Cluster:
        host, port = self.address.split(":")
        self.scheduler = self._start("dask_scheduler", ["--host", host, "--port", port, "--no-dashboard"], self._env)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                socket.create_connection((host, int(port)), timeout=1).close()
                return self
            except OSError:
                assert self.scheduler.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.05)
        raise TimeoutError("the scheduler does not start")

    def __exit__(self, *error: object) -> None:
        for process in [*self.workers, self.scheduler]:
            process.terminate()
        for process in [*self.workers, self.scheduler]:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def worker(
        self, threads: int = 1, hidden: Sequence[Path] = (), options: Sequence[str] = ()
    ) -> subprocess.Popen[bytes]:
        """Start a worker, from which some folders may be hidden."""
        env, start = dict(self._env), without(hidden) if hidden else []
        if hidden and not start:
            elsewhere = self.folder / "elsewhere"
            elsewhere.mkdir(exist_ok=True)
            (elsewhere / "sitecustomize.py").write_text(_HIDING)
            env |= {"PYTHONPATH": f"{elsewhere}{os.pathsep}{ROOT}", "HIDDEN": os.pathsep.join(map(str, hidden))}
        scratch = self.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        arguments = [f"tcp://{self.address}", "--nthreads", str(threads), "--no-nanny", "--no-dashboard"]
        arguments += ["--host", "127.0.0.1", "--memory-limit", "0", "--local-directory", str(scratch), *options]
        self.workers.append(self._start("dask_worker", arguments, env, start))
        return self.workers[-1]

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        self.workers.remove(worker)

    def _start(
        self, module: str, arguments: list[str], env: dict[str, str], start: Sequence[str] = ()
    ) -> subprocess.Popen[bytes]:
        command = [*start, sys.executable, "-m", f"distributed.cli.{module}", *arguments]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                command, cwd=self.folder, env=env, stdin=-3, stdout=log, stderr=log, start_new_session=True
            )
