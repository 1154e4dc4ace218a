"""Files that are no files, and small ones that unpack to very much. All of them: python -m tests.reliability.bombs"""

from __future__ import annotations

import gzip
import os
import resource
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from backprop_cli.data.files import Files
from backprop_cli.data.files.paths import find
from backprop_cli.data.idx import parse_idx, read_idx
from backprop_cli.errors import DataError, UsageError
from backprop_cli.model.weights import files as weights
from backprop_cli.untrusted import limits
from tests.reliability.bombs import VIEWS, endless_view, last_corner, packed, png, unwritten, wide, wide_vector

ODD: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "Too many levels": lambda path: path.symlink_to(path),
    "folder": Path.mkdir,
}
NAMES = ["t.csv", "t.csv.gz", "t.zip", "t.npy", "t.npz", "t.parquet", "t.feather", "t.jsonl", "t.xlsx", "t.db", "t.txt"]
NAMES += ["x-idx3-ubyte"]


def load(path: Path, **options: object) -> None:
    Files(path=path, target=options.pop("target", "y"), **options).load(0, path.parent)  # type: ignore[arg-type]


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, name: str, what: str) -> None:
    ODD[what](tmp_path / name)
    (tmp_path / "y").write_bytes(struct.pack(">HBBI", 0, 8, 1, 0))
    form = {"t.zip": "csv", "x-idx3-ubyte": "idx"}.get(name)
    options = {"format": form or name.split(".")[1], "target": None if name == "t.txt" else "y"}
    options["format"] = {"db": "sqlite", "txt": "text"}.get(str(options["format"]), options["format"])
    with pytest.raises(DataError) as found:
        load(tmp_path / name, **options)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("name", ["w.safetensors", "w.npz", "w.weights.h5", "w.keras"])
def test_weights_that_are_no_file(tmp_path: Path, name: str, what: str) -> None:
    ODD[what](tmp_path / name)
    with pytest.raises(DataError, match=what):
        weights.read(tmp_path / name)


def test_a_path_through_a_circle_of_links_is_found_and_then_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").symlink_to("b.csv")
    (tmp_path / "b.csv").symlink_to("a.csv")
    with pytest.raises(DataError, match="Too many levels of symbolic links"):
        load(find("a.csv", tmp_path))


def test_an_idx_file_is_not_unpacked_to_more_than_its_header_says(tmp_path: Path) -> None:
    head = struct.pack(">HBBIII", 0, 8, 3, 4_400_000, 28, 28)
    packed(tmp_path / "x.gz", gzip.compress, head, bytes(784), 1 << 28)
    with pytest.raises(DataError, match=r"unpack to 3\.2 GiB, expected at most 64\.0 MiB; .*BP_LIMITS=52$"):
        read_idx(tmp_path / "x.gz")
    with pytest.raises(DataError, match="it has more"):
        parse_idx(gzip.compress(struct.pack(">HBBI", 0, 8, 1, 3) + bytes(9)), "x")
    with pytest.raises(DataError, match="not an IDX file"):
        parse_idx(b"\0\0\x08\xff" + bytes(4 * 255), "x")
    assert parse_idx(gzip.compress(struct.pack(">HBBI", 0, 8, 1, 3) + b"abc"), "x").tolist() == [97, 98, 99]


@pytest.mark.large
@pytest.mark.parametrize("name", ["t.csv.gz", "t.jsonl.gz"])
def test_what_unpacks_without_end_is_read_no_further(tmp_path: Path, name: str) -> None:
    text = b"0,0\n" if "csv" in name else b'{"y": 1}\n'
    packed(tmp_path / name, gzip.compress, b"x,y\n" if "csv" in name else b"", text, 1 << 29)
    with pytest.raises(DataError, match=r"that unpack to more than .*BP_LIMITS=10$"):
        load(tmp_path / name)


@pytest.mark.large
def test_other_small_files_that_become_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backprop_cli.data.files.excel._MAX_CELLS", 1_000_000)
    for make, name, said in (
        (wide, "t.csv", "300,001 columns, expected at most 100,000"),
        (last_corner, "t.xlsx", "more than 1,000,000 cells"),
    ):
        make(tmp_path / name)
        with pytest.raises(DataError, match=said):
            load(tmp_path / name)
    endless_view(tmp_path / "t.db")
    monkeypatch.setattr(limits, "UNPACKED", 1 << 22)
    with pytest.raises(DataError, match="that unpack to"):
        load(tmp_path / "t.db", query="select * from v")
    unwritten(tmp_path / "w.weights.h5")
    with pytest.raises(DataError, match=r"unpack to 6\.0 GiB"):
        weights.read(tmp_path / "w.weights.h5")
    for folder in "ab":
        png(tmp_path / f"pictures/{folder}/1.png", 1300)
    with pytest.raises(DataError, match=r"1300 × 1300 pixels, .*BP_LIMITS=2$"):
        load(tmp_path / "pictures", target=None, format="images")


@pytest.mark.large
@pytest.mark.parametrize("name", ["t.db", "t.duckdb"])
@pytest.mark.parametrize("view", ["count", "sort"])
def test_a_view_that_never_gives_a_row_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, view: str
) -> None:
    endless_view(tmp_path / name, VIEWS[view])
    monkeypatch.setattr("backprop_cli.data.files.databases.MILLISECONDS", 100)
    with pytest.raises(DataError, match=r"gives no row for 0\.1\d* s of processor time; .*BP_LIMITS=10$"):
        load(tmp_path / name)


def test_what_duckdb_takes_at_once_is_bounded(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    wide_vector(tmp_path / "t.duckdb")
    with pytest.raises(DataError, match=r"that unpack to more than 64\.0 MiB; .*BP_LIMITS=10$"):
        load(tmp_path / "t.duckdb")
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_a_query_reads_no_other_file(tmp_path: Path) -> None:
    for name, statement in (("t.db", "attach '{0}' as other"), ("t.duckdb", "attach '{0}' as other")):
        endless_view(tmp_path / name)
        other = tmp_path / f"other-{name}"
        with pytest.raises(DataError):
            load(tmp_path / name, query=statement.format(other))
        assert not other.exists()
    (tmp_path / "secret.csv").write_text("SECRET\n1\n")
    with pytest.raises(DataError, match="DuckDB says"):
        load(tmp_path / "t.duckdb", query=f"select * from read_csv('{tmp_path / 'secret.csv'}')")


def test_the_bounds_are_raised_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BP_LIMITS", "2.5")
    assert limits.unpacked(10) == 2.5 * limits.UNPACKED and limits.unpacked(1 << 30) == 500 << 30
    for wrong in ("0", "-1", "inf", "nan", "much"):
        monkeypatch.setenv("BP_LIMITS", wrong)
        with pytest.raises(UsageError, match=f"BP_LIMITS={wrong}: expected a number"):
            limits.bound(1)
