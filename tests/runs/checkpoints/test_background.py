"""Checkpoints that another process writes while the training goes on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from backprop_cli import load_config
from backprop_cli.commands.train import train
from backprop_cli.errors import CheckpointError, RunError
from backprop_cli.runs import lock as locks
from backprop_cli.runs.checkpoints import background
from backprop_cli.runs.checkpoints.background import Background
from backprop_cli.runs.checkpoints.checkpoint import CheckpointFile
from backprop_cli.runs.checkpoints.copies import Copies
from backprop_cli.runs.checkpoints.saved import BEST, LAST
from backprop_cli.runs.checkpoints.writer import Order
from backprop_cli.runs.files import Folder
from backprop_cli.runs.lock import Lock, is_held
from backprop_cli.training.loop import Callback, Loop
from tests.checkpoints import Checkpoint
from tests.conftest import ROOT
from tests.processes import children
from tests.reliability.compare import EVERYTHING, differences, outcome

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")

ARRAYS = {
    "dense_1.W": np.arange(12, dtype=np.float32).reshape(3, 4),
    "mask": np.array([True, False]),
    "nothing": np.zeros((0, 3)),
    "scalar": np.array(2.5),
}


def order(step: int, *names: str) -> Order:
    return {"values": {name: {"step": step} for name in names or (LAST,)}, "sync": None}


def step_of(path: Path) -> int:
    return CheckpointFile(path).values["step"]


class Made:
    """A directory with all that is needed to write in it."""

    def __init__(self, path: Path, *lock: int) -> None:
        self.copies = Copies(ARRAYS)
        best = {"W": self.copies.arrays["dense_1.W"][1], "scalar": self.copies.arrays["scalar"]}
        plans = {LAST: self.copies.plan(self.copies.arrays), BEST: self.copies.plan(best)}
        log = os.open(path / "log", os.O_WRONLY | os.O_CREAT)
        self.background = Background(self.copies, plans, Folder(path), 2, log, lock)

    @property
    def pid(self) -> int:
        (only,) = children()
        return only


@pytest.fixture(params=[True, False], ids=["in memory", "in a file"])
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Made]:
    if not request.param:  # as where the system has no such memory
        monkeypatch.delattr(os, "memfd_create")
    found = Made(tmp_path)
    yield found
    found.background.close()
    assert children() == []


def test_copies_are_written_while_the_arrays_change(tmp_path: Path, made: Made) -> None:
    arrays = {name: array.copy() for name, array in ARRAYS.items()}
    for value in (1, 2):
        expected = {name: array.tobytes() for name, array in arrays.items()}
        made.background.begin(order(value, BEST, LAST))
        for array in arrays.values():
            array.fill(value)
        made.background.wait()
        found = Checkpoint.read(tmp_path / LAST)
        assert {name: array.tobytes() for name, array in found.arrays.items()} == expected
        assert found.values == {"step": value}
        best = Checkpoint.read(tmp_path / BEST).arrays
        assert best["W"].tobytes() == found.arrays["dense_1.W"][1].tobytes()
        assert best["scalar"] == found.arrays["scalar"]
        made.copies.take({name: array for name, array in arrays.items() if name != "mask"})
        arrays["mask"] = made.copies.arrays["mask"].copy()
    assert step_of(tmp_path / "last-1.safetensors") == 1


def test_the_same_bytes_as_without(tmp_path: Path, made: Made) -> None:
    made.background.begin(order(1))
    made.background.wait()
    Checkpoint(ARRAYS, {"step": 1}).write(tmp_path / "alone")
    assert (tmp_path / "alone").read_bytes() == (tmp_path / LAST).read_bytes()


def test_arrays_that_do_not_fit_are_told() -> None:
    copies = Copies(ARRAYS)
    assert copies.fit(ARRAYS)
    assert not copies.fit({name: array for name, array in ARRAYS.items() if name != "mask"})
    assert not copies.fit({**ARRAYS, "scalar": np.array([2.5])})
    assert not copies.fit({**ARRAYS, "scalar": np.array(2)})


def test_signals_are_not_for_it(tmp_path: Path, made: Made) -> None:
    made.background.begin(order(1))
    made.background.wait()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(made.pid, number)
    before = made.pid
    made.background.begin(order(2))
    made.background.wait()
    assert made.pid == before
    assert step_of(tmp_path / LAST) == 2


@pytest.mark.parametrize("stopped", [True, False], ids=["in the middle", "between two"])
def test_killed_the_training_writes_by_itself_and_starts_another(tmp_path: Path, made: Made, stopped: bool) -> None:
    made.background.begin(order(1))
    made.background.wait()
    before = made.pid
    if stopped:
        os.kill(before, signal.SIGSTOP)
        made.background.begin(order(2))
    os.kill(before, signal.SIGKILL)
    if not stopped:
        os.waitid(os.P_PID, before, os.WEXITED | os.WNOWAIT)
        made.background.begin(order(2))
    made.background.wait()
    assert step_of(tmp_path / LAST) == 2
    made.background.begin(order(3))
    made.background.wait()
    assert step_of(tmp_path / LAST) == 3
    assert step_of(tmp_path / "last-1.safetensors") == 2
    assert made.pid != before


def test_where_no_process_can_be_started(tmp_path: Path, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    made.background.begin(order(1))
    assert children() == []
    made.background.wait()
    assert step_of(tmp_path / LAST) == 1


def test_where_none_lives_no_more_are_started(tmp_path: Path, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    pids = []
    for step in range(1, 6):
        made.background.begin(order(step))
        pids += children()
        made.background.wait()
        assert step_of(tmp_path / LAST) == step
    assert len(set(pids)) <= background.TRIES
    monkeypatch.undo()
    made.background.begin(order(6))
    assert children() == []


def test_what_goes_wrong_is_said_as_without(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    made = Made(tmp_path / "gone")
    shutil.rmtree(tmp_path / "gone")
    made.background.begin(order(1))
    with pytest.raises(RunError, match=r"cannot write .*last\.safetensors: No such file") as heard:
        made.background.wait()
    with pytest.raises(RunError) as own:
        made.background.writer.write(order(1))
    assert str(heard.value) == str(own.value)
    made.background.close()


def test_it_goes_on_after_an_error(tmp_path: Path, made: Made) -> None:
    made.background.begin({"values": {LAST: "x" * (3 << 20)}, "sync": None})
    with pytest.raises(CheckpointError, match="need a header of"):  # of the values, here
        made.background.wait()
    made.background.begin(order(2))
    made.background.wait()
    assert sorted(path.name for path in tmp_path.iterdir()) == [LAST, "log"]


HOLDER = """
import os, signal, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.runs.checkpoints.test_background import Made, order
from backprop_cli.runs.lock import Lock
path = Path(sys.argv[2])
made = Made(path, Lock(path).handle)
made.background.begin(order(1))
made.background.wait()
os.kill(made.pid, signal.SIGSTOP)
made.background.begin(order(2))
print(made.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def orphan(tmp_path: Path) -> Iterator[int]:
    """A writer, stopped in the middle, whose training has been killed."""
    command = [sys.executable, "-c", HOLDER, str(ROOT), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as training:
        assert training.stdout is not None
        writer = int(training.stdout.readline())
        training.kill()
    yield writer
    with suppress(ProcessLookupError):
        os.kill(writer, signal.SIGKILL)


def test_it_ends_what_it_began_when_the_training_is_killed(
    tmp_path: Path, orphan: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nobody goes on with the run before it has."""
    monkeypatch.setattr(locks, "LAST_WRITE", 0.2)
    with pytest.raises(RunError, match="is in use by process"):
        Lock(tmp_path)
    assert step_of(tmp_path / LAST) == 1
    os.kill(orphan, signal.SIGCONT)
    monkeypatch.setattr(locks, "LAST_WRITE", 10.0)
    Lock(tmp_path).release()
    assert step_of(tmp_path / LAST) == 2
    assert not is_held(tmp_path)


def test_a_line_that_was_cut_off_is_no_order(tmp_path: Path, made: Made) -> None:
    made.background.begin(order(1))
    made.background.wait()
    process = made.background._process
    assert process is not None and process.stdin is not None
    process.stdin.write(b'{"values": {"last.safetensors": {"step": 2}}, "sync": null}')  # without its end
    process.stdin.close()
    assert process.wait() == 0
    assert step_of(tmp_path / LAST) == 1


class Watch(Callback):
    """Notes which processes this one has, step by step; kills them after some."""

    def __init__(self, *kill: int) -> None:
        self.kill, self.seen = kill, set[int]()

    def step(self, loop: Loop, loss: float) -> None:
        self.seen |= set(children())
        if loop.step in self.kill:
            for each in children():
                os.kill(each, signal.SIGKILL)


def test_a_training_whose_writer_is_killed_ends_in_the_same_bits(tmp_path: Path) -> None:
    cfg = load_config(EVERYTHING, ["trainer.checkpoint.every_steps=1"])
    found = []
    for name, watch in (("whole", Watch()), ("killed", Watch(3, 8))):
        train(cfg, run_dir=tmp_path / name, callbacks=[watch])
        assert children() == []
        found.append(outcome(tmp_path / name))
        assert len(watch.seen) == 1 + len(watch.kill)
    assert not differences(*found)


def test_a_short_training_needs_no_process(tmp_path: Path) -> None:
    watch = Watch()
    train(load_config(EVERYTHING), run_dir=tmp_path / "run", callbacks=[watch])
    assert not watch.seen
    assert (tmp_path / "run/checkpoints" / LAST).exists()


def test_it_starts_without_numpy() -> None:
    """Which takes longer than the rest."""
    code = "import sys; import backprop_cli.runs.checkpoints.writer; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_training_that_is_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    options = ["trainer.epochs=1000000", "trainer.early_stopping.patience=1000000", "trainer.checkpoint.every_steps=1"]
    command = [sys.executable, "-m", "backprop_cli", "train", str(EVERYTHING), "--run-dir", "run", "-q"]
    command += [word for each in options for word in ("--set", each)]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=tmp_path, env=env) as training:
        end = time.monotonic() + 60
        while not (tmp_path / "run/checkpoints/last-1.safetensors").exists():
            assert time.monotonic() < end
            time.sleep(0.01)
        assert len(children(training.pid)) == 1
        training.kill()
    Lock(tmp_path / "run").release()
    assert not list((tmp_path / "run/checkpoints").glob(".*"))
