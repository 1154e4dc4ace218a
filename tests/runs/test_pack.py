"""`bp runs pack` and `unpack`: a run arrives as it was, and nothing hostile gets in."""

from __future__ import annotations

import io
import json
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from backprop_cli import load
from backprop_cli.commands.train import train
from backprop_cli.config.load import load_config
from backprop_cli.errors import RunError, UsageError
from backprop_cli.runs import archives
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.runs.pack import pack, unpack
from backprop_cli.untrusted import limits

CONFIG = """\
dataset: {source: sample, name: iris}
architecture: [{type: dense, units: 3, activation: softmax}]
loss: cross_entropy
trainer: {epochs: 1}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    folder = tmp_path_factory.mktemp("packed")
    (folder / "iris.yaml").write_text(CONFIG)
    train(load_config(folder / "iris.yaml"), run_dir=folder / "mine")
    (folder / "mine" / "plugins" / "odd.py").write_text("print('never')\n")
    (folder / "mine" / "secret").symlink_to("/etc/passwd")
    return RunDirectory(folder / "mine")


def contents(path: Path) -> dict[str, bytes]:
    return {
        str(each.relative_to(path)): each.read_bytes()
        for each in sorted(path.rglob("*"))
        if each.is_file() and not each.is_symlink() and each.name != "lock"
    }


@pytest.mark.parametrize("ending", archives.SUFFIXES)
def test_a_run_arrives_as_it_was(ending: str, run: RunDirectory, tmp_path: Path) -> None:
    packed = pack(run, tmp_path / f"sent{ending}")
    made = unpack(packed, tmp_path / "theirs")
    assert made.path == tmp_path / "theirs" / "mine"
    assert contents(made.path) == contents(run.path)
    assert not (made.path / "secret").exists()
    assert load(made.path, plugins=()).classes == ["setosa", "versicolor", "virginica"]
    assert not any(each.stat().st_mode & stat.S_IXUSR for each in made.path.rglob("*") if each.is_file())
    assert {each.name for each in tmp_path.iterdir()} == {packed.name, "theirs"}
    with pytest.raises(UsageError, match="is there already; give another name with --name"):
        unpack(packed, tmp_path / "theirs")
    assert unpack(packed, tmp_path / "theirs", "second").path.name == "second"


def test_the_commands(bp: Callable[..., Any], run: RunDirectory, tmp_path: Path) -> None:
    done = bp("runs", "pack", run.path)
    assert (done.code, done.out) == (0, "mine.tar.zst\n")
    done = bp("runs", "unpack", "mine.tar.zst")
    assert (done.code, done.out) == (0, "runs/mine\n")
    assert "Python code that runs when the run is used; read them first: odd.py" in done.err
    done = bp("runs", "unpack", "mine.tar.zst", "--name", "../out")
    assert done.code == 2 and "expected the name of a folder" in done.err


def test_a_run_that_is_running_is_not_packed(run: RunDirectory, tmp_path: Path) -> None:
    unpacked = unpack(pack(run, tmp_path / "a.zip"), tmp_path)
    unpacked.lock()
    try:
        unpacked.update(status="running")
        with pytest.raises(RunError, match="is running; pack it when it has ended"):
            pack(RunDirectory(unpacked.path), tmp_path / "b.zip")
    finally:
        unpacked.release()
    assert not (tmp_path / "b.zip").exists()


def members(run: RunDirectory) -> dict[str, bytes]:
    return {f"mine/{name}": data for name, data in contents(run.path).items()}


def as_zip(path: Path, files: dict[str, bytes], change: Callable[[zipfile.ZipInfo], None] | None = None) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            if change is not None:
                change(info)
            archive.writestr(info, data)
    return path


def as_tar(path: Path, files: dict[str, bytes], *more: tarfile.TarInfo) -> Path:
    with (
        pa.OSFile(str(path), "wb") as raw,
        pa.CompressedOutputStream(raw, "zstd") as packed,
        tarfile.open(fileobj=packed, mode="w|") as tar,
    ):
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for info in more:
            tar.addfile(info)
    return path


def refused(path: Path, said: str) -> None:
    """Nothing is written, outside or inside."""
    runs = path.parent / "runs"
    with pytest.raises(RunError, match=said) as found:
        unpack(path, runs)
    assert "\n" not in str(found.value) and str(path) in str(found.value)
    assert not list(runs.iterdir())
    assert not (path.parent / "evil").exists() and not Path("/tmp/evil-of-bp").exists()


@pytest.mark.parametrize(
    "name",
    ["../evil", "mine/../../evil", "/tmp/evil-of-bp", "mine/./evil", "mine//evil", "mine/.hidden", "mine\\..\\evil",
     "mine/a/b/c/d", "mine/" + "x" * 300, "mine/line\nbreak", "mine/nul\x01"],
)  # fmt: skip
def test_paths_that_lead_elsewhere(name: str, run: RunDirectory, tmp_path: Path) -> None:
    refused(as_tar(tmp_path / "a.tar.zst", {**members(run), name: b"x"}), "is no place in a run")
    refused(as_zip(tmp_path / "a.zip", {**members(run), name: b"x"}), "is no place in a run")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices(kind: bytes, run: RunDirectory, tmp_path: Path) -> None:
    link = tarfile.TarInfo("mine/checkpoints/evil")
    link.type, link.linkname = kind, "/etc/passwd"
    refused(as_tar(tmp_path / "a.tar.zst", members(run), link), "is a link, a device or sparse")

    def linked(info: zipfile.ZipInfo) -> None:
        info.external_attr = (stat.S_IFLNK | 0o777) << 16

    refused(as_zip(tmp_path / "a.zip", {"mine/evil": b"/etc/passwd"}, linked), "is a link, a device or encrypted")


def test_more_than_a_run_holds(run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = {**members(run), **{f"mine/{number}": b"" for number in range(50)}}
    monkeypatch.setattr(archives, "MAX_FILES", 40)
    refused(as_tar(tmp_path / "a.tar.zst", many), "more than 40 files")
    refused(as_zip(tmp_path / "a.zip", many), "more than 40 files")
    monkeypatch.setattr(archives, "MAX_FILES", 1000)
    monkeypatch.setattr(limits, "UNPACKED", 1 << 20)
    monkeypatch.setattr(limits, "RATIO", 0)
    large = {**members(run), "mine/zeros": bytes(2 << 20)}
    refused(as_tar(tmp_path / "b.tar.zst", large), r"iB that unpack to more than 1.0 MiB; .*BP_LIMITS=10$")
    refused(as_zip(tmp_path / "b.zip", large), r"iB that unpack to 2.0 MiB, expected at most 1.0 MiB; .*BP_LIMITS=3$")


@pytest.mark.large
def test_a_header_that_would_fill_the_memory(run: RunDirectory, tmp_path: Path) -> None:
    info = tarfile.TarInfo("mine/evil")
    info.pax_headers = {"comment": "x" * (8 << 20)}
    refused(as_tar(tmp_path / "a.tar.zst", members(run), info), "a header of more than")


def test_sizes_that_lie(run: RunDirectory, tmp_path: Path) -> None:
    path = as_zip(tmp_path / "a.zip", {"mine/run.json": b"{}" * 50})
    data = path.read_bytes()
    for before in (100, 100):
        data = data.replace(before.to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(data)
    refused(path, "damaged|not as long as")


def test_two_of_a_kind(run: RunDirectory, tmp_path: Path) -> None:
    files = members(run)
    refused(as_zip(tmp_path / "a.zip", {**files, "other/run.json": b"{}"}), "several folders, mine, other")
    twice = tarfile.TarInfo("mine/run.json")
    refused(as_tar(tmp_path / "a.tar.zst", files, twice), "is in it twice")


def test_what_is_no_run(run: RunDirectory, tmp_path: Path) -> None:
    files = members(run)
    refused(as_zip(tmp_path / "a.zip", {}), "holds no files")
    refused(as_zip(tmp_path / "b.zip", {"mine/config.yaml": b""}), "is not a run directory: it has no run.json")
    refused(as_zip(tmp_path / "c.zip", {"mine/run.json": json.dumps({"id": "a"}).encode()}), "it has no config.yaml")
    name = "mine/checkpoints/best.safetensors"
    damaged = bytearray(files[name])
    damaged[-1] ^= 1
    refused(as_zip(tmp_path / "d.zip", {**files, name: bytes(damaged)}), "checkpoints/best.safetensors: .*checksum")


@pytest.mark.parametrize("ending", archives.SUFFIXES)
@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_a_truncated_archive(ending: str, share: float, run: RunDirectory, tmp_path: Path) -> None:
    path = pack(run, tmp_path / f"a{ending}")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    refused(path, "damaged|holds no files|no run.json|no config.yaml|not as long")


def test_names_and_places_that_are_wrong(run: RunDirectory, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected a name ending in \.tar\.zst or \.zip"):
        pack(run, tmp_path / "a.rar")
    with pytest.raises(UsageError, match=r"a\.zip: there is no folder .*nowhere"):
        pack(run, tmp_path / "nowhere" / "a.zip")
    with pytest.raises(RunError, match=r"cannot read .*No such file"):
        unpack(tmp_path / "a.zip", tmp_path / "runs")
    assert os.listdir(tmp_path) == ["runs"]
