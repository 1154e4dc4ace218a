"""The process that workers are copies of: it has imported everything (`start` it while there is other work to do), so
that the imports are paid for once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from backprop_cli.errors import UsageError

#: bytes of a folder that a socket's name has room for beside /pymp-xxxxxxxx/listener-xxxxxxxx: 104 on macOS in all
LONGEST = 60
SHORT = ("/tmp", "/var/tmp")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# A fork of this process would copy its threads' locks in an unknown state; the server has no threads. Elsewhere
# than on Linux the libraries that it imports may start some.
CONTEXT: Any = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")


def start(jobs: int, modules: Sequence[str]) -> None:
    """Begin to import these modules, in the process that the workers will be copies of."""
    if sys.platform == "linux":
        from multiprocessing import forkserver, resource_tracker

        CONTEXT.set_forkserver_preload(list(modules))
        resource_tracker.ensure_running()  # if the server did this, it would take the next line back
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # inherited: Ctrl-C is its parent's to hear
        try:
            with threads(jobs), _short_names():
                forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _short_names() -> Iterator[None]:
    """Context in which temporary files get names that a socket can have, if $TMPDIR is too long for that."""
    given = tempfile.tempdir
    if len(os.fsencode(tempfile.gettempdir())) > LONGEST:
        places = [folder for folder in SHORT if os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)]
        if not places:
            raise UsageError(
                f"the folder of temporary files has a name of more than {LONGEST} bytes, which no socket can have, "
                f"and {' and '.join(SHORT)} cannot be written to; set TMPDIR to a shorter one"
            )
        tempfile.tempdir = places[0]
    try:
        yield
    finally:
        tempfile.tempdir = given


@contextmanager
def threads(jobs: int) -> Iterator[None]:
    """Context in which new processes share the cores."""
    before = {name: os.environ.get(name) for name in THREADS}
    try:
        os.environ |= {name: str(max(1, (os.cpu_count() or 1) // jobs)) for name in THREADS if jobs > 1}
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
