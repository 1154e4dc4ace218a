"""The clusters that a sweep can run on: one that is there, one of this machine, and those of batch systems."""

from __future__ import annotations

import atexit
import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from backprop_cli.commands.sweep.executors import Open
from backprop_cli.errors import RunError, UsageError
from backprop_cli.untrusted.regular import read_regular

EXTRA = "pip install 'backprop-cli[cluster]'"
PREFIX, HERE = "dask://", "dask"
#: batch system: class of dask_jobqueue, the command that submits a job
BATCH = {"slurm": ("SLURMCluster", "sbatch"), "pbs": ("PBSCluster", "qsub"), "lsf": ("LSFCluster", "bsub")}
CONNECT = 5.0  # seconds for a scheduler to answer
HOST_MODULE = "backprop_cli.commands.sweep.cluster.host"
MAX_FILE = 1 << 20  # bytes of --set-cluster
STARTS = 3  # of the worker here, that end before it has joined


class Cluster:
    """Where the trials of a sweep run: `with cluster.open() as executor:`.

    What is wrong with the arguments is told at once, by UsageError; a worker here starts at once, too, so that it
    imports what it needs while this process does other things.
    """

    def __init__(self, on: str, jobs: int | None, options: Path | None) -> None:
        check(on, options)
        self._on, self._jobs = on, jobs
        self._options = read_options(on, options) if options is not None else {}
        self._here = _Here(jobs or os.cpu_count() or 1) if on == HERE else None

    @contextmanager
    def open(self, say: Callable[[str], None]) -> Iterator[Open]:
        """Context that gives what opens an executor on the workers; `say` is told what happens to them.

        Raises RunError where no scheduler answers.
        """
        from distributed import Client

        from backprop_cli.commands.sweep.cluster.executor import DaskExecutor

        for name in ("distributed", "tornado", "asyncio"):  # what has to be said of lost workers is said by bp
            logging.getLogger(name).setLevel(logging.CRITICAL)
        # nobody looks at the scheduler's page, so which port it gets beside another sweep's is of no interest
        warnings.filterwarnings("ignore", r"\s*Port \d+ is already in use", UserWarning)
        with self._scheduler() as scheduler:
            try:
                client = Client(scheduler, timeout=CONNECT, set_as_default=False)
            except (OSError, ValueError) as error:
                raise RunError(f"no scheduler answers at {self._on} ({' '.join(str(error).split()):.200})") from None
            tend = self._here.tend if self._here is not None else lambda: None
            try:
                yield partial(DaskExecutor, client=client, limit=self._jobs, say=say, tend=tend)
            finally:
                with suppress(OSError, TimeoutError):
                    client.close(timeout=2)

    @contextmanager
    def _scheduler(self) -> Iterator[Any]:
        """What a client connects to."""
        if self._here is not None:
            with self._here.scheduler() as scheduler:
                yield scheduler
        elif self._on in BATCH:
            with batch(self._on, self._options) as cluster:
                if shutil.which(BATCH[self._on][1]) is None:
                    raise UsageError(
                        f"--on {self._on}: no {BATCH[self._on][1]} here; start bp on a machine that submits jobs"
                    )
                jobs = -(-(self._jobs or 1) // int(self._options.get("cores", 1)))
                cluster.adapt(minimum_jobs=jobs, maximum_jobs=jobs)  # jobs whose time is up are submitted again
                yield cluster
        else:
            yield f"tcp://{self._on.removeprefix(PREFIX)}"


def check(on: str, options: Path | None) -> None:
    """Raise UsageError for what --on cannot be, and where Dask is not installed."""
    if on != HERE and on not in BATCH and not re.fullmatch(rf"{PREFIX}[^/\s:]+:\d+", on):
        raise UsageError(f"--on {on}: expected dask://HOST:PORT, dask, slurm, pbs or lsf")
    if options is not None and on not in BATCH:
        raise UsageError(f"--set-cluster is for the jobs of a batch system; expected --on slurm, pbs or lsf, not {on}")
    if on in BATCH and options is None:
        raise UsageError(f"--on {on} needs --set-cluster FILE, with at least cores and memory of a job")
    try:
        import distributed  # noqa: F401  # what it imports is needed anyway

        if on in BATCH:
            import dask_jobqueue  # noqa: F401  # the same
    except ImportError as error:
        raise UsageError(f"--on {on} needs {error.name}: {EXTRA}") from None


def read_options(on: str, path: Path) -> dict[str, Any]:
    """The keyword arguments for a cluster of dask-jobqueue. Raises UsageError."""
    try:
        options = yaml.safe_load(read_regular(path, MAX_FILE))
    except OSError as error:
        raise UsageError(f"--set-cluster {path}: {error.strerror or error}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"--set-cluster {path}: not YAML ({' '.join(str(error).split()):.200})") from None
    if not isinstance(options, dict) or not {"cores", "memory"} <= options.keys():
        raise UsageError(f"--set-cluster {path}: expected keys and values, cores and memory among them")
    if not isinstance(options["cores"], int) or options["cores"] < 1:
        raise UsageError(f"--set-cluster {path}: cores: {options['cores']!r}; expected a whole number from 1")
    return options


@contextmanager
def batch(on: str, options: dict[str, Any]) -> Iterator[Any]:
    """A cluster of dask-jobqueue, without jobs yet. Its jobs have one worker with as many threads as cores, which
    prepares the processes of its trials. Raises UsageError."""
    import dask_jobqueue

    extra = [*options.get("worker_extra_args", []), "--preload", HOST_MODULE]
    arguments = {"processes": 1, **options, "worker_extra_args": extra}
    try:
        cluster = getattr(dask_jobqueue, BATCH[on][0])(**arguments)
    except (TypeError, ValueError) as error:
        raise UsageError(f"--set-cluster: {error}") from None
    try:
        yield cluster
    finally:
        cluster.close()


class _Here:
    """A scheduler in this process and one worker, a process of its own, with a thread for each job."""

    def __init__(self, jobs: int) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._folder = tempfile.TemporaryDirectory(prefix="bp-dask-")
        self._errors = Path(self._folder.name) / "errors"
        self._jobs, self._starts, self._closed = jobs, 0, False
        self._worker = self._start()
        atexit.register(self.close)  # also where it is never used

    @contextmanager
    def scheduler(self) -> Iterator[Any]:
        from distributed import LocalCluster

        with LocalCluster(
            n_workers=0, host="127.0.0.1", scheduler_port=self._port, dashboard_address=None, silence_logs=50
        ) as cluster:
            try:
                yield cluster
            finally:
                self.close()

    def tend(self) -> None:
        """Start the worker again where it has died. Raises RunError where it cannot be started."""
        if self._closed or self._worker.poll() is None:
            return
        self._starts += 1
        if self._starts > STARTS:
            lines = self._errors.read_text(errors="replace").strip().splitlines() or ["it says nothing"]
            raise RunError(f"the worker of Dask does not start: {lines[-1]:.300}")
        self._worker = self._start()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._worker.terminate()
        try:
            self._worker.wait(5)
        except subprocess.TimeoutExpired:
            self._worker.kill()
            self._worker.wait()
        self._folder.cleanup()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "distributed.cli.dask_worker", f"tcp://127.0.0.1:{self._port}"]
        command += ["--nthreads", str(self._jobs), "--host", "127.0.0.1", "--no-nanny", "--no-dashboard"]
        command += ["--memory-limit", "0", "--death-timeout", "20", "--preload", HOST_MODULE]
        command += ["--local-directory", self._folder.name]
        with self._errors.open("wb") as errors:  # a session of its own: Ctrl-C is the sweep's to hear
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, start_new_session=True
            )
