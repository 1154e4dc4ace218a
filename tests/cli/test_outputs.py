"""Files that a user names are written whole or not at all, by every command that writes one."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import typer

from backprop_cli import load_config
from backprop_cli.cli import main as command_line
from backprop_cli.commands.train import train
from backprop_cli.errors import RunError
from backprop_cli.runs.files import write_output
from tests.conftest import ROOT
from tests.reliability.compare import EVERYTHING

pytestmark = pytest.mark.draws
#: what is typed -> the file that it writes; {} is the name of that file
WRITES = {
    "config copy xor {}": "mine.yaml",
    "config init {}": "mine.yaml",
    "explain pictures --sample 0 -o {}": "map.png",
    "export run --to onnx -o {}": "model.onnx",
    "export run --to numpy -o {}": "model.py",
    "export run --to safetensors -o {}": "model.safetensors",
    "plot run -o {}": "loss.png",
    "plot run -o {} ": "loss.svg",
    "predict run inputs.npy -o {}": "answers.csv",
    "predict run inputs.npy -o {} ": "answers.npy",
    "report run -o {}": "report.html",
    "runs compare run other --plot {}": "compared.png",
    "runs pack run -o {}": "run.zip",
    "runs pack run -o {} ": "run.tar.zst",
    "trace run -o {}": "trace.txt",
}
IDS = [line.format(name) for line, name in WRITES.items()]
FORCED = ("config copy", "config init")  # what overwrites only with --force


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs and inputs."""
    folder = tmp_path_factory.mktemp("outputs")
    cfg = load_config(ROOT / "configs/xor.yaml", ["trainer.epochs=2"])
    for name in ("run", "other"):
        train(cfg, run_dir=folder / name)
    train(load_config(EVERYTHING), run_dir=folder / "pictures")
    np.save(folder / "inputs.npy", np.zeros((3, 2)))
    return folder


@contextmanager
def full_disk() -> Iterator[None]:
    """Writes beyond ten bytes fail as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def typed(line: str, name: str) -> int:
    words = line.format(name).split()
    return command_line.run([*words, *(["--force"] if line.startswith(FORCED) else [])], False)


@pytest.mark.parametrize(("line", "name"), WRITES.items(), ids=IDS)
def test_on_a_full_disk_nothing_is_left_and_nothing_lost(
    line: str, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    before = sorted(os.listdir())
    with full_disk():
        assert typed(line, name) == 1
    said = capsys.readouterr().err
    assert f"cannot write {name}: File too large" in said.replace(f"{folder}/", "") and len(said.splitlines()) == 1
    assert sorted(os.listdir()) == before
    Path(name).write_text("what was there")
    with full_disk():
        assert typed(line, name) == 1
    assert Path(name).read_text() == "what was there"
    assert typed(line, name) == 0
    assert len(Path(name).read_bytes()) > 20
    Path(name).unlink()
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize(("line", "name"), WRITES.items(), ids=IDS)
def test_no_file_takes_the_place_of_a_pipe_and_links_stay(
    line: str, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As root, `bp report -o` would have put a file in the place of /dev/null."""
    monkeypatch.chdir(folder)
    os.mkfifo(name)
    assert typed(line, name) == 1
    assert f"cannot write {name}: not a regular file but a pipe" in capsys.readouterr().err
    assert Path(name).is_fifo()
    Path(name).unlink()
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    Path(name).symlink_to(Path("elsewhere") / name)
    assert typed(line, name) == 0
    assert Path(name).is_symlink()
    assert (elsewhere / name).stat().st_size > 20
    Path(name).unlink()
    (elsewhere / name).unlink()
    assert not os.listdir(elsewhere)
    elsewhere.rmdir()
    if not line.startswith("config copy"):  # which makes the folder
        assert typed(line, f"nowhere/{name}") == 2
        assert f"nowhere/{name}: there is no folder nowhere" in capsys.readouterr().err


def test_every_command_that_writes_a_file_is_tried() -> None:
    def writing(command: typer.core.TyperGroup, path: tuple[str, ...] = ()) -> Iterator[str]:
        for name, inner in getattr(command, "commands", {}).items():
            yield from writing(inner, (*path, name))
        if any("-o" in option.opts or "--plot" in option.opts for option in command.params):
            yield " ".join(path)

    app = command_line.app
    named = set(writing(typer.main.get_command(app)))
    assert {name for name in named if not any(line.startswith(name) for line in WRITES)} == set()


def test_a_new_file_is_never_put_over_another(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    write_output(path, [b"first"], replace=False)
    with pytest.raises(FileExistsError):
        write_output(path, [b"second"], replace=False)
    (tmp_path / "link").symlink_to("nothing")
    with pytest.raises(FileExistsError):
        write_output(tmp_path / "link", [b"second"], replace=False)
    assert path.read_bytes() == b"first"
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(RunError, match="symbolic link"):
        write_output(tmp_path / "circle", [b"second"])
    assert sorted(os.listdir(tmp_path)) == ["circle", "link", "mine.yaml"]
