"""Checkpoints come back as they were written, or not at all."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from backprop_cli.errors import CheckpointError, RunError
from backprop_cli.runs.checkpoints import saved, tensors
from backprop_cli.runs.checkpoints.checkpoint import CheckpointFile
from backprop_cli.runs.checkpoints.header import header
from backprop_cli.runs.checkpoints.writer import write
from backprop_cli.runs.files import Folder
from tests.checkpoints import Checkpoint
from tests.conftest import ROOT
from tests.reliability import hostile

ARRAYS = {
    "dense_1.W": np.arange(12, dtype=np.float32).reshape(3, 4),
    "dense_1.b": np.zeros(4, np.float32),
    "steps": np.array([7], np.int64),
    "mask": np.array([True, False]),
    "nothing": np.zeros((0, 3)),
    "scalar": np.array(2.5),
}
VALUES = {"epoch": 3, "rng": {"state": 2**127 + 1}, "text": "Größe", "nothing": None}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    Checkpoint(dict(ARRAYS), dict(VALUES)).write(tmp_path / "a.safetensors")
    return tmp_path / "a.safetensors"


def test_comes_back_as_written(path: Path) -> None:
    found = Checkpoint.read(path)
    assert found.values == VALUES
    for name, array in ARRAYS.items():
        assert found.arrays[name].dtype == array.dtype
        assert found.arrays[name].shape == array.shape
        assert found.arrays[name].tobytes() == array.tobytes()


def test_is_read_whole_though_a_newer_one_takes_its_place(path: Path) -> None:
    file = CheckpointFile(path)
    Checkpoint({name: array.copy() for name, array in ARRAYS.items() if name != "mask"}, {}).write(path)
    assert {name: each.tobytes() for name, each in file.read().items()} == {
        name: each.tobytes() for name, each in ARRAYS.items()
    }


def test_is_a_safetensors_file_to_others(path: Path) -> None:
    assert {name: each.tolist() for name, each in load_file(path).items()} == {
        name: each.tolist() for name, each in ARRAYS.items()
    }


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_is_seen(path: Path, tmp_path: Path, data: st.DataObject) -> None:
    """Whatever is done to the bytes: the same content or CheckpointError, never another content."""
    whole = bytearray(path.read_bytes())
    kind = data.draw(st.sampled_from(["flip", "cut", "zero", "swap", "append"]))
    at = data.draw(st.integers(0, len(whole) - 1))
    if kind == "flip":
        whole[at] ^= 1 << data.draw(st.integers(0, 7))
    elif kind == "cut":
        del whole[at:]
    elif kind == "zero":
        whole[at : at + data.draw(st.integers(1, 64))] = bytes(len(whole[at : at + 64]))
    elif kind == "swap":
        other = data.draw(st.integers(0, len(whole) - 1))
        whole[at], whole[other] = whole[other], whole[at]
    else:
        whole += data.draw(st.binary(min_size=1, max_size=16))
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(whole)
    try:
        found = Checkpoint.read(damaged)
    except CheckpointError:
        return
    assert found.values == VALUES
    assert {name: each.tobytes() for name, each in found.arrays.items()} == {
        name: each.tobytes() for name, each in ARRAYS.items()
    }


def test_the_first_files_did_not_say_their_format(tmp_path: Path) -> None:
    old = {"__metadata__": {"bp": "{}", "crc32": "{}", "check": "3a7bd1f2"}}
    (tmp_path / "old").write_bytes(hostile.header(old))
    with pytest.raises(CheckpointError, match="format '0', this bp reads"):
        Checkpoint.read(tmp_path / "old")


def test_another_version_of_the_format_is_no_damage(path: Path, tmp_path: Path) -> None:
    """Also where it has arrays of a type, and metadata, that this version does not know."""
    new = {"w": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}, "__metadata__": {"bp_format": "7"}}
    (tmp_path / "new").write_bytes(hostile.header(new) + bytes(2))
    with pytest.raises(CheckpointError, match="format '7', this bp reads '2'; use the version of bp"):
        Checkpoint.read(tmp_path / "new")


class TestFits:
    def test_what_it_was_written_from(self, path: Path) -> None:
        CheckpointFile(path).expect(ARRAYS)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"dense_1.b": np.zeros(5, np.float32)}, r"dense_1.b: expected float32 of shape \(5,\), got .*\(4,\)"),
            ({"dense_1.b": np.zeros(4)}, "dense_1.b: expected float64"),
            ({"dense_2.W": np.zeros(4)}, r"dense_2.W: expected float64 of shape \(4,\), got none"),
        ],
    )
    def test_another_network(self, path: Path, change: dict, message: str) -> None:
        with pytest.raises(CheckpointError, match=message):
            CheckpointFile(path).expect({**ARRAYS, **change})

    def test_an_array_nobody_expects(self, path: Path) -> None:
        fewer = {name: each for name, each in ARRAYS.items() if name != "mask"}
        with pytest.raises(CheckpointError, match="mask: expected none"):
            CheckpointFile(path).expect(fewer)
        CheckpointFile(path).expect(fewer, others=True)

    def test_one_that_may_be_there_has_a_limit(self, path: Path) -> None:
        fewer = {name: each for name, each in ARRAYS.items() if name != "dense_1.W"}
        CheckpointFile(path).expect(fewer, optional={"dense_1.W": 48})
        with pytest.raises(CheckpointError, match="takes 48 bytes"):
            CheckpointFile(path).expect(fewer, optional={"dense_1.W": 47})

    def test_terabytes_that_are_no_lie_are_not_read(self, tmp_path: Path) -> None:
        """A well formed file of 8 TiB (sparse), checksums included, is refused by its shapes alone."""
        shape = {"dense_1.W": tensors.TensorInfo(np.dtype("<f4"), (1 << 41,), 0, 1 << 43)}
        hostile.sparse(tmp_path / "big", header(tensors.described(shape), {"dense_1.W": 0}, "{}"), 1 << 43)
        file = CheckpointFile(tmp_path / "big")
        with pytest.raises(CheckpointError, match="does not fit the network"):
            file.expect(ARRAYS)
        with pytest.raises(CheckpointError, match="expected at most"):
            file.read_under("dense")


def test_hostile_files_are_refused_at_once(tmp_path: Path) -> None:
    """Each in a second of the processor and 512 MB, the file named, and nothing run."""
    script = (
        "import json, sys, time; from pathlib import Path\n"
        "from backprop_cli.errors import CheckpointError; from tests.checkpoints import Checkpoint\n"
        "from tests.reliability import hostile\n"
        "for i, (name, write) in enumerate(hostile.files()):\n"
        "    path = Path(f'{i}.safetensors'); write(path); began = time.process_time()\n"
        "    try: Checkpoint.read(path); text = 'ACCEPTED'\n"
        "    except CheckpointError as error: text = str(error)\n"
        "    status = open('/proc/self/status').read()\n"  # ru_maxrss would count the process that started this one
        "    peak = int(status.partition('VmHWM:')[2].split()[0]) / 1024\n"
        "    print(json.dumps([name, str(path), time.process_time() - began, peak, text]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        check=True,
        timeout=60,
    )
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == len(list(hostile.files()))
    for name, path, seconds, megabytes, text in results:
        assert path in text, name
        assert text != "ACCEPTED", name
        assert seconds < 1, name
        assert megabytes < 512, name
    assert not (tmp_path / "exploded").exists()


class TestWriting:
    def test_nothing_changes_where_it_fails(self, path: Path) -> None:
        before = path.read_bytes()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            with pytest.raises(RunError, match=r"cannot write .*a\.safetensors: File too large"):
                Checkpoint({"big": np.zeros(1000)}, {}).write(path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert path.read_bytes() == before
        assert [each.name for each in path.parent.iterdir()] == [path.name]

    def test_of_more_arrays_than_the_system_takes_at_once(self, tmp_path: Path) -> None:
        arrays = {f"a{i}": np.full(i % 5, i, np.float32) for i in range(3000)}
        Checkpoint(arrays, {}).write(tmp_path / "many")
        found = Checkpoint.read(tmp_path / "many").arrays
        assert {name: each.tobytes() for name, each in found.items()} == {n: a.tobytes() for n, a in arrays.items()}

    def test_never_through_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "outside").write_text("precious")
        (tmp_path / "a.safetensors").symlink_to(tmp_path / "outside")
        Checkpoint(dict(ARRAYS), {}).write(tmp_path / "a.safetensors")
        assert (tmp_path / "outside").read_text() == "precious"
        assert not (tmp_path / "a.safetensors").is_symlink()


@pytest.mark.parametrize("keep", [1, 2, 4])
def test_the_last_ones_are_kept(tmp_path: Path, keep: int) -> None:
    folder = Folder(tmp_path)
    for step in range(7):
        write(folder, saved.LAST, {}, {"step": step}, lambda: saved.make_room(folder, keep))
        kept = saved.newest_first(tmp_path)
        steps = [CheckpointFile(path).values["step"] for path in kept]
        assert steps == list(range(step, max(-1, step - keep), -1))
    assert len(list(tmp_path.iterdir())) == keep
    saved.forget(tmp_path, 2)
    assert saved.newest_first(tmp_path) == kept[:2]
