"""The cache of decoded arrays: whole or absent, whatever happens to the process that writes."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from backprop_cli.data import cache
from backprop_cli.data.cache import Entry
from backprop_cli.data.stamps import stamp
from backprop_cli.errors import DataError

WRITER = """
import sys
import numpy as np
from pathlib import Path
from backprop_cli.data.cache import Entry
from backprop_cli.data.stamps import stamp

entry = Entry("test", "numbers", {"name": "numbers"})
rows = int(sys.argv[2])
with entry.lock(), entry.write() as writer:
    for name in "xy":
        with writer.array(name, rows, (1000,), np.dtype("f4")) as append:
            for row in range(rows):
                append(np.full((1, 1000), row, "f4"))
                if row == rows // 2:
                    print("half of", name, flush=True)
    writer.commit({"rows": rows}, stamp([Path(sys.argv[1])]))
print("done", flush=True)
"""


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BP_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "source.bin"
    path.write_bytes(b"the file it was made from")
    return path


def numbers() -> Entry:
    return Entry("test", "numbers", {"name": "numbers"})


def write(entry: Entry, source: Path, array: np.ndarray, declared: int | None = None) -> None:
    rows = len(array) if declared is None else declared
    with entry.lock(), entry.write() as writer:
        with writer.array("x", rows, array.shape[1:], array.dtype) as append:
            for start in range(0, len(array), 3):
                append(array[start : start + 3])
        writer.commit({"rows": rows}, stamp([source]))


arrays = hnp.arrays(
    dtype=st.sampled_from(["u1", "i8", "f4", "f8", "?"]),
    shape=hnp.array_shapes(min_dims=1, max_dims=3, max_side=7),
)


@given(arrays)
@settings(max_examples=30, deadline=None)
def test_what_was_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, array: np.ndarray) -> None:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("BP_CACHE", str(folder))
        source = folder / "source"
        source.write_bytes(b"x")
        entry = numbers()
        assert entry.read() is None
        write(entry, source, array)
        stored = entry.read()
        assert stored is not None
        about, found = stored
        assert about == {"rows": len(array)}
        assert isinstance(found["x"], np.memmap)
        assert found["x"].dtype == array.dtype
        np.testing.assert_array_equal(found["x"], array)


def test_a_changed_source_makes_it_stale(source: Path) -> None:
    write(numbers(), source, np.arange(10))
    assert numbers().read() is not None
    source.write_bytes(b"another file than it was made from")
    assert numbers().read() is None
    source.unlink()
    assert numbers().read() is None


def test_a_source_that_was_replaced_within_a_tick_of_the_clock_is_stale(source: Path) -> None:
    """Its size and times are the same then, as where a file system has no time of change."""
    write(numbers(), source, np.arange(10))
    before = source.stat()
    source.write_bytes(source.read_bytes().upper())
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    note = numbers().folder / "entry.json"
    now = source.stat()
    document = json.loads(note.read_text())
    document["sources"][str(source)][3] = now.st_ctime_ns
    cache._note(note.parent, document)
    assert numbers().read() is None


def test_a_source_with_another_date_and_the_same_contents_is_not_stale(source: Path) -> None:
    """As after a copy or another mode; it is hashed once, and then known by its times."""
    write(numbers(), source, np.arange(10))
    for moment in (0, 1_000_000_000):
        os.utime(source, ns=(moment, moment))
        assert numbers().read() is not None
    note = numbers().folder / "entry.json"
    stamped = json.loads(note.read_text())["sources"][str(source)]
    assert stamped[2:4] == [moment, source.stat().st_ctime_ns]
    document = json.loads(note.read_text())
    document["sources"][str(source)][0] += 10**10  # as if it had been hashed ten seconds after the change
    document["sources"][str(source)][4] = "not looked at"
    cache._note(note.parent, document)
    assert numbers().read() is not None


def test_a_damaged_entry_counts_as_absent_and_is_replaced(source: Path) -> None:
    write(numbers(), source, np.arange(10))
    (file,) = numbers().folder.glob("*.npy")
    file.write_bytes(file.read_bytes()[:-1])
    assert numbers().read() is None
    write(numbers(), source, np.arange(20))
    stored = numbers().read()
    assert stored is not None
    assert stored[1]["x"].tolist() == list(range(20))
    assert len(list(numbers().folder.glob("*.npy"))) == 1
    (numbers().folder / "entry.json").write_text("{")
    assert numbers().read() is None


def test_an_entry_whose_note_was_changed_counts_as_absent(source: Path) -> None:
    write(numbers(), source, np.arange(10))
    note = numbers().folder / "entry.json"
    whole = json.loads(note.read_text())
    changes: dict[str, Any] = {
        "about": {"rows": 11},
        "sources": {},
        "arrays": {"y": whole["arrays"]["x"]},
        "digest": "",
    }
    for name, value in changes.items():
        note.write_text(json.dumps({**whole, name: value}))
        assert numbers().read() is None, name
    note.write_text(json.dumps(whole))
    assert numbers().read() is not None


def test_a_replaced_entry_stays_readable_where_it_is_mapped(source: Path) -> None:
    write(numbers(), source, np.arange(10))
    stored = numbers().read()
    assert stored is not None
    write(numbers(), source, np.zeros(10, int))
    assert stored[1]["x"].tolist() == list(range(10))


def test_too_few_rows_leave_the_old_entry(source: Path) -> None:
    write(numbers(), source, np.arange(10))
    with pytest.raises(DataError, match="expected 12 rows, read 10"):
        write(numbers(), source, np.zeros(10, int), declared=12)
    stored = numbers().read()
    assert stored is not None
    assert stored[1]["x"].tolist() == list(range(10))
    assert len(list(numbers().folder.glob("*.npy"))) == 1


def start_writer(source: Path, rows: int) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(source), str(rows)], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("seen", ["half of x", "half of y"])
def test_a_killed_writer_leaves_nothing_that_reads_as_whole(source: Path, seen: str) -> None:
    process = start_writer(source, 4000)
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == seen:
            process.send_signal(signal.SIGKILL)
            break
    assert process.wait() == -signal.SIGKILL
    assert list(numbers().folder.glob("*.part"))
    assert numbers().read() is None
    write(numbers(), source, np.arange(10))  # the lock died with its holder
    assert numbers().read() is not None
    assert not list(numbers().folder.glob("*.part"))


def test_two_writers_at_once_take_turns(source: Path) -> None:
    processes = [start_writer(source, rows) for rows in (500, 700)]
    assert [process.wait() for process in processes] == [0, 0]
    stored = numbers().read()
    assert stored is not None
    about, found = stored
    assert found["x"].shape == (about["rows"], 1000)
    np.testing.assert_array_equal(found["y"][:, 0], np.arange(about["rows"]))
    assert len(list(numbers().folder.glob("*.npy"))) == 2


def test_a_full_disk_is_a_clear_error(source: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # writes beyond it fail as on a full disk
    try:
        with pytest.raises(DataError, match=r"cannot write it: File too large; make room, or set .* BP_CACHE"):
            write(numbers(), source, np.zeros((100, 1000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert numbers().read() is None
    assert not list(numbers().folder.glob("*.part"))


def test_a_cache_that_cannot_be_made_is_a_clear_error(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BP_CACHE", str(source))  # a file
    with pytest.raises(DataError, match="BP_CACHE"), numbers().lock():
        pass


def test_an_entry_opens_fast(source: Path) -> None:
    write(numbers(), source, np.zeros((60_000, 784), np.uint8))
    numbers().read()
    start = time.perf_counter()
    assert numbers().read() is not None
    assert time.perf_counter() - start < 0.2


def test_the_lock_of_an_entry_follows_no_link(tmp_path, monkeypatch):
    monkeypatch.setenv("BP_CACHE", str(tmp_path / "cache"))
    entry = Entry("images", "a", {"k": 1})
    entry.folder.mkdir(parents=True)
    (entry.folder / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="symbolic links"), entry.lock():
        pass
    assert not (tmp_path / "elsewhere").exists()


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


@pytest.mark.parametrize("at", [-1, 0, 200])
def test_a_changed_byte_of_an_array_is_noticed(source: Path, at: int) -> None:
    write(numbers(), source, np.arange(100))
    (file,) = numbers().folder.glob("*.npy")
    flip(file, at % file.stat().st_size)
    assert numbers().read() is None
    write(numbers(), source, np.arange(100))
    assert numbers().read() is not None


def test_an_array_with_another_date_is_the_same(source: Path) -> None:
    """As after a copy; it is hashed once, and then known by its times."""
    write(numbers(), source, np.arange(10))
    (file,) = numbers().folder.glob("*.npy")
    os.utime(file, ns=(10**18, 10**18))
    assert numbers().read() is not None
    noted = json.loads((numbers().folder / "entry.json").read_text())["arrays"]["x"]
    assert noted[1][2] == 10**18


def test_an_array_that_is_a_link_is_none(source: Path) -> None:
    write(numbers(), source, np.arange(10))
    (file,) = numbers().folder.glob("*.npy")
    file.rename(source.parent / "elsewhere.npy")
    file.symlink_to(source.parent / "elsewhere.npy")
    assert numbers().read() is None
