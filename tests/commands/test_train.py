"""Whatever happened to a run: it goes on exactly, or says why it cannot."""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from backprop_cli import load_config
from backprop_cli.commands.resume import resume
from backprop_cli.commands.train import train
from backprop_cli.errors import BpError, CheckpointError, DamagedError, DivergedError, RunError
from backprop_cli.runs.checkpoints.checkpoint import CheckpointFile
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.training.loop import Callback, Loop
from tests.reliability.compare import EVERYTHING, differences, outcome
from tests.training.test_resume import StopAt, stop

EACH_STEP = "trainer.checkpoint.every_steps=1"


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict:
    path = tmp_path_factory.mktemp("unbroken") / "run"
    train(load_config(EVERYTHING, [EACH_STEP]), run_dir=path)
    return outcome(path)


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """A run stopped after step 5, with checkpoints of steps 5 and 4."""
    stop(tmp_path / "run", StopAt(5), EACH_STEP)
    return tmp_path / "run"


@pytest.mark.large
@pytest.mark.skipif(sys.platform != "linux", reason="open files are counted in /proc")
@pytest.mark.parametrize("ending", ["completed", "interrupted", "diverged"])
def test_a_training_leaves_no_file_open(tmp_path: Path, ending: str) -> None:
    """Hundreds of them fit into one process, and its limit of open files."""

    def one(number: int) -> None:
        path = tmp_path / str(number)
        if ending == "interrupted":
            stop(path, StopAt(5), EACH_STEP)
        elif ending == "diverged":
            with pytest.raises(DivergedError):
                train(load_config(EVERYTHING, [EACH_STEP, "optimizer.learning_rate=1e37"]), run_dir=path)
        else:
            train(load_config(EVERYTHING, [EACH_STEP]), run_dir=path)
        assert RunDirectory(path).status == ending

    one(0)
    before = len(os.listdir("/proc/self/fd"))
    for number in range(1, 4):
        one(number)
    assert len(os.listdir("/proc/self/fd")) == before


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-100] ^= 4
    path.unlink()  # the checkpoint before may be the same file under another name
    path.write_bytes(data)


def zero(path: Path) -> None:
    size = path.stat().st_size
    path.unlink()
    path.write_bytes(bytes(size))


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


DAMAGE: list[Callable[[Path], None]] = [cut, flip, zero, link, Path.unlink]


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
class TestDamagedCheckpoints:
    def test_the_one_before_is_used_and_said(self, stopped: Path, expected: dict, damage: Callable) -> None:
        damage(stopped / "checkpoints/last.safetensors")
        said: list[str] = []
        resume(RunDirectory(stopped), warn=said.append)
        assert any("last.safetensors" in text for text in said)
        assert any("last-1.safetensors" in text for text in said)
        assert differences(outcome(stopped), expected) == []

    def test_without_another_it_refuses_or_begins_again(self, stopped: Path, expected: dict, damage: Callable) -> None:
        for name in ("last", "last-1"):
            damage(stopped / f"checkpoints/{name}.safetensors")
        said: list[str] = []
        if damage is Path.unlink:
            resume(RunDirectory(stopped), warn=said.append)
            assert "starting at the first step" in said[0]
            assert differences(outcome(stopped), expected) == []
            return
        with pytest.raises(CheckpointError, match="none of its 2 checkpoints can be used"):
            resume(RunDirectory(stopped), warn=said.append)


def test_the_checkpoint_of_another_network_is_refused(stopped: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    train(load_config(EVERYTHING, ["architecture.1.units=17", "trainer.epochs=1"]), run_dir=other)
    for name in ("last", "last-1"):
        (stopped / f"checkpoints/{name}.safetensors").write_bytes((other / "checkpoints/last.safetensors").read_bytes())
    said: list[str] = []
    with pytest.raises(CheckpointError):
        resume(RunDirectory(stopped), warn=said.append)
    assert "does not fit the network" in said[0]


def test_the_checkpoint_before_stays_good(stopped: Path) -> None:
    steps = [CheckpointFile(stopped / f"checkpoints/{name}.safetensors").values["step"] for name in ("last", "last-1")]
    assert steps == [5, 4]


class TestDifferences:
    def change(self, run: Path, **changes: object) -> None:
        info = json.loads((run / "run.json").read_text())
        (run / "run.json").write_text(json.dumps(info | changes))

    def said(self, run: Path) -> str:
        said: list[str] = []
        resume(RunDirectory(run), warn=said.append)
        return "\n".join(said)

    def test_none(self, stopped: Path) -> None:
        assert self.said(stopped) == ""

    def test_other_versions(self, stopped: Path) -> None:
        self.change(stopped, versions={"numpy": "1.0", "python": "3.11"}, kernels="other")
        said = self.said(stopped)
        assert "numpy 1.0, now" in said
        assert "other kernels, now" in said

    def test_other_data(self, stopped: Path) -> None:
        self.change(stopped, dataset={"fingerprint": "0"})
        assert "not those the run began with" in self.said(stopped)

    @pytest.mark.parametrize("value", [None, 1, "x", [], {"numpy": []}])
    def test_nonsense(self, stopped: Path, value: object) -> None:
        self.change(stopped, versions=value, kernels=value, dataset=value, started=value, id=value, metrics=value)
        with pytest.raises(DamagedError, match="the run is damaged"):
            self.said(stopped)


class TestPlugins:
    PLUGIN = (
        "from pathlib import Path\n"
        "from backprop_cli.engine.metrics.base import Metric, metric\n"
        "@metric('always_{0}')\n"
        "class Always(Metric):\n"
        "    def update(self, y, target): self.totals += 1\n"
        "Path({1!r}).open('a').write('ran ')\n"
    )

    def make(self, tmp_path: Path, name: str) -> tuple[Path, Path]:
        """(a stopped run with a plugin, the file that tells how often it was run)"""
        log = tmp_path / "log"
        plugin = tmp_path / f"{name}.py"
        plugin.write_text(self.PLUGIN.format(name, str(log)))
        config = tmp_path / "config.yaml"
        config.write_text(EVERYTHING.read_text() + f"plugins: [{name}.py]\n")
        callback = StopAt(5)
        with pytest.raises(BpError):
            train(load_config(config), run_dir=tmp_path / "run", callbacks=[callback])
        plugin.unlink()
        return tmp_path / "run", log

    def test_its_own_copy_after_saying_so(self, bp, tmp_path: Path) -> None:
        run, log = self.make(tmp_path, "mine")
        done = bp("train", "--resume", run, "--quiet")
        assert done.code == 0, done.err
        assert "running the plugin" in done.err
        assert "mine.py" in done.err
        assert log.read_text() == "ran ran "

    def test_what_its_config_names_elsewhere_is_not_run(self, bp, tmp_path: Path) -> None:
        run, log = self.make(tmp_path, "yours")
        (run / "plugins/yours.py").rename(tmp_path / "planted.py")
        (run / "config.yaml").write_text((run / "config.yaml").read_text().replace("yours.py", "planted.py"))
        assert "planted.py" in (run / "config.yaml").read_text()
        assert bp("train", "--resume", run).code == 0
        assert log.read_text() == "ran "

    def test_a_copy_that_is_a_link_is_refused(self, bp, tmp_path: Path) -> None:
        run, log = self.make(tmp_path, "linked")
        (run / "plugins/linked.py").rename(tmp_path / "planted.py")
        (run / "plugins/linked.py").symlink_to(tmp_path / "planted.py")
        done = bp("train", "--resume", run)
        assert done.code == 1
        assert "symbolic link" in done.err
        assert log.read_text() == "ran "


class Limit(Callback):
    """Lowers a limit after a step."""

    def __init__(self, step: int, kind: int, value: int) -> None:
        self.at, self.kind, self.value = step, kind, value

    def step(self, loop: Loop, loss: float) -> None:
        if loop.step == self.at:
            resource.setrlimit(self.kind, (self.value, resource.getrlimit(self.kind)[1]))


@pytest.mark.parametrize(
    ("kind", "value", "cause", "status"),
    [
        (resource.RLIMIT_FSIZE, 30_000, "File too large", "failed"),  # run.json still fits, a checkpoint does not
        (resource.RLIMIT_FSIZE, 10, "File too large", "running"),  # nothing fits: the lock tells that it has ended
        (resource.RLIMIT_NOFILE, 3, "Too many open files", "running"),
    ],
)
def test_a_disk_that_takes_no_more(
    tmp_path: Path, expected: dict, kind: int, value: int, cause: str, status: str
) -> None:
    path, before = tmp_path / "run", resource.getrlimit(kind)
    try:
        with pytest.raises(RunError) as caught:
            train(load_config(EVERYTHING, [EACH_STEP]), run_dir=path, callbacks=[Limit(5, kind, value)])
    finally:
        resource.setrlimit(kind, before)
    assert caught.value.exit_code == 1
    assert cause in str(caught.value)
    assert "\n" not in str(caught.value)
    run = RunDirectory(path)
    assert run.info["status"] == status
    assert run.status in ("failed", "interrupted")
    assert CheckpointFile(path / "checkpoints/last.safetensors").values["step"] in (4, 5)
    assert not list(path.rglob("*.tmp"))
    resume(run)
    assert differences(outcome(path), expected) == []


def test_a_second_writer_is_kept_out(bp, stopped: Path) -> None:
    run = RunDirectory(stopped)
    run.lock()
    done = bp("train", "--resume", stopped)
    run.release()
    assert done.code == 1
    assert f"in use by process {os.getpid()}" in done.err
    assert bp("train", "--resume", stopped).code == 0


def test_checkpoints_of_another_format_are_no_damage(stopped: Path) -> None:
    paths = sorted((stopped / "checkpoints").iterdir())
    for path in paths:
        newer = path.read_bytes().replace(b'"bp_format":"2"', b'"bp_format":"9"')
        path.unlink()  # the checkpoint before may be the same file under another name
        path.write_bytes(newer)
    said: list[str] = []
    with pytest.raises(CheckpointError, match="can be used; `bp train"):
        resume(RunDirectory(stopped), warn=said.append)
    assert "format '9', this bp reads '2'; use the version of bp that wrote it" in said[0]
    assert sorted((stopped / "checkpoints").iterdir()) == paths
