"""What every test may use: bp as a real process, caches of its own."""

from __future__ import annotations

import atexit
import compileall
import json
import os
import platform
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import numpy.testing  # noqa: F401  # of NumPy 1.26: starts lscpu when it is imported first, in a test that may start nothing
import pytest
import threadpoolctl

from backprop_cli import registry
from backprop_cli.engine.kernels.compiled import build
from tests.forked import POSSIBLE, Server

ROOT = Path(__file__).parents[1]
_UNSHARE = ["unshare", "--map-root-user", "--net"]
_ALLOWED = subprocess.run([*_UNSHARE, "true"], capture_output=True, check=False).returncode == 0
NO_NETWORK = _UNSHARE if _ALLOWED else []
threadpoolctl.threadpool_info()  # an old one starts ldconfig at its first use, in a test that may start nothing
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell leaves it to what it begins in the background,
    signal.signal(signal.SIGINT, signal.default_int_handler)  # and as child processes would inherit it
# child processes of tests find the package also where it is not installed
os.environ["BP_STATE"] = tempfile.mkdtemp(prefix="bp-state-")
atexit.register(shutil.rmtree, os.environ["BP_STATE"], ignore_errors=True)
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])


platform.processor()  # starts `uname` the first time; TFDS asks for it when some test is the first to import it
# a machine that others use, too, may stop a test for seconds: what hangs is stopped by pytest-timeout
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


def pytest_configure(config: pytest.Config) -> None:
    """Build the kernels from the sources as they are now, and compile the modules, which every process would do again
    otherwise; only the process that starts the others does."""
    if not hasattr(config, "workerinput"):
        failure = build.build() if build.compiler() else None
        assert failure is None, failure
        compileall.compile_dir(ROOT / "backprop_cli", quiet=2)


def _raise_loopback() -> None:
    """Bring 127.0.0.1 up where the tests run cut off (`unshare --net`): servers of ours are no network."""
    if sys.platform != "linux":
        return
    import fcntl
    import socket

    read, write, up = 0x8913, 0x8914, 1  # SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        name, flags = struct.unpack("16sh", fcntl.ioctl(any_socket, read, struct.pack("16sh", b"lo", 0)))
        if not flags & up:
            fcntl.ioctl(any_socket, write, struct.pack("16sh", name, flags | up))


_raise_loopback()


@dataclass
class Finished:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


#: what takes its time -> the files and folders of tests that do it, beside tests that are marked; one that asks for
#: `bp` starts processes
TAKES_TIME = {
    "process": ["board/test_board.py", "play/test_play.py", "test_notebook.py",
                "cli/test_descriptors.py", "cli/test_escapes.py", "cli/test_narrow.py", "cli/test_unix.py",
                "cli/test_live.py", "cli/test_completion.py", "commands/sweep",
                "data/test_cache.py", "data/test_large.py", "data/test_tfds.py", "data/test_without_tfds.py",
                "reliability", "runs/checkpoints", "test_forked.py", "training/test_signals.py"],
    "draws": ["insight/plots", "insight/report", "insight/trace"],
    "docs": ["test_docs.py", "scripts"],
    "trains": ["commands/lessons", "commands/test_pairings.py", "config/test_fuzz.py", "config/test_round_trip.py",
               "engine/test_allocation.py", "insight/doctor", "play/test_session.py", "test_configs.py",
               "test_end_to_end.py", "test_lessons.py", "test_plugins.py", "training/test_kernels.py",
               "training/test_optimizer_options_in_training.py", "training/test_replay.py",
               "training/test_step_cost.py"],
    "large": [],
}  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts processes, draws, trains, runs documents or is large; `fast` is what does none of it."""
    of_files = {}
    for path in {item.path for item in items}:
        name = path.relative_to(ROOT / "tests").as_posix()
        of_files[path] = [kind for kind, names in TAKES_TIME.items() if name.startswith(tuple(names))]
    for item in items:
        kinds = [*of_files[item.path], *(["process"] if "bp" in getattr(item, "fixturenames", ()) else [])]
        kinds += [kind for kind in TAKES_TIME if item.get_closest_marker(kind) and kind not in kinds]
        named = ("long", "slow", "browser", "cluster", "loggers", "mpi", "notebook", "search")
        slow = any(item.get_closest_marker(name) for name in named)
        for kind in kinds or ([] if slow else ["fast"]):
            item.add_marker(kind)


STARTS = {"os.fork", "os.forkpty", "os.posix_spawn", "subprocess.Popen"}
_started: list[str] = []
sys.addaudithook(lambda event, _: _started.append(event) if event in STARTS else None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Hold `fast` to what it says of processes."""
    _started.clear()
    yield
    if _started and item.get_closest_marker("fast"):
        pytest.fail(f"starts a process ({_started[0]}) and is not marked `process`: see TAKES_TIME")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def no_plugins_left() -> Iterator[None]:
    """What a test's plugin has defined is gone after it: other tests look at every class there is."""
    yield
    for known in registry._classes.values():
        for name in [name for name, cls in known.items() if cls.__module__.startswith("bp_plugin_")]:
            del known[name]
    for name in [name for name in sys.modules if name.startswith("bp_plugin_")]:
        del sys.modules[name]


@pytest.fixture(scope="session")
def forked() -> Iterator[Server | None]:
    yield from _serving()


@pytest.fixture(scope="session")
def cut_off() -> Iterator[Server | None]:
    """The same without a network, where the system lets us."""
    yield from _serving(NO_NETWORK)


def _serving(prefix: Sequence[str] = ()) -> Iterator[Server | None]:
    server = Server(prefix) if POSSIBLE else None
    yield server
    if server is not None:
        server.close()


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """What a test changes of the environment is over with it: `bp` is forked only where nothing was changed."""
    before = dict(os.environ)
    yield
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def bp(request: pytest.FixtureRequest, tmp_path: Path, cache: Path, forked: Server | None) -> Callable[..., Finished]:
    """Run `bp` as a process in a directory of its own; the repository's configs are under configs/."""
    if not (tmp_path / "configs").exists():
        (tmp_path / "configs").symlink_to(ROOT / "configs")

    def run(*arguments: str | Path, timeout: float = 120, unshared: bool = False, **environment: str) -> Finished:
        """`unshared` cuts the network off, where the system lets us."""
        env = os.environ | {"BP_CACHE": str(cache), "COLUMNS": "120"} | environment
        server = request.getfixturevalue("cut_off") if unshared else forked
        if server is not None and server.can(env):
            return Finished(*server.run([str(each) for each in arguments], tmp_path, env, timeout))
        done = subprocess.run(
            [*(NO_NETWORK if unshared else []), sys.executable, "-m", "backprop_cli", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=env,
            timeout=timeout,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    return run
