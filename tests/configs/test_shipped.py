"""The configs that come with bp: listed, copied, trained by name; also from a wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tomllib
import venv
from pathlib import Path

import pytest
import yaml

from backprop_cli import load_config
from backprop_cli.config import shipped
from backprop_cli.errors import UsageError
from tests.conftest import ROOT


def test_every_config_of_the_repository_ships_with_a_sentence_about_it() -> None:
    found = [path for path in (ROOT / "configs").rglob("*.yaml") if ".lesson" not in path.name]
    files = {path.relative_to(ROOT / "configs").with_suffix("").as_posix() for path in found}
    assert set(shipped.names()) == files
    assert all(len(shipped.summary(name)) > 10 for name in files)


def test_a_config_loads_by_its_name() -> None:
    assert load_config("bp:lessons/vanishing_relu").name == "vanishing_relu"


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no config called 'vanishing_rel' ships.*bp:lessons/vanishing_relu\?"):
        load_config("bp:vanishing_rel")


def test_a_missing_file_that_ships_is_suggested(bp, tmp_path: Path) -> None:
    done = bp("train", "configs/nowhere/mnist.yaml")
    assert done.code == 2
    assert "bp:mnist ships with bp" in done.err
    (tmp_path / "two.yaml").touch()  # near "xor.yaml", and still another name
    assert "bp:xor ships with bp" in bp("check", "xor.yaml").err


def test_a_copy_brings_what_it_extends_and_trains(bp, tmp_path: Path) -> None:
    done = bp("config", "copy", "xor_batch_norm", "mine")
    assert done.code == 0
    assert done.out.split() == ["mine/xor_batch_norm.yaml", "mine/xor.yaml"]
    assert (tmp_path / "mine" / "xor.yaml").read_text(encoding="utf-8").startswith("# bp train mine/xor.yaml\n")
    assert bp("train", "mine/xor_batch_norm.yaml", "--epochs", "2", "--quiet").code == 0
    again = bp("config", "copy", "xor", "mine")
    assert again.code == 2
    assert "mine/xor.yaml exists" in again.err


def test_the_list_is_json_too(bp) -> None:
    assert {"name", "about"} == set(bp("config", "ls", "--json").json[0])


def test_every_file_of_the_package_is_packed() -> None:
    """The page of `bp board` was not."""
    package = ROOT / "backprop_cli"
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    packed = {path for pattern in settings["package-data"]["backprop_cli"] for path in package.glob(pattern)}
    made = {".py", ".pyc", ".made"}
    there = {path for path in package.rglob("*") if path.is_file() and path.suffix not in made}
    assert sorted(there - packed) == []


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_wheel_has_everything(tmp_path: Path) -> None:
    """From a fresh environment with only the wheel: copy a config, train it, draw it, without the repository."""
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, ROOT], check=True)
    wheel = next(tmp_path.glob("*.whl"))
    assert wheel.stat().st_size < 3e6
    venv.create(tmp_path / "env", with_pip=True, symlinks=True)
    python = tmp_path / "env" / "bin" / "python"
    # on the path of tests is the repository: pip would find bp installed there
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    pip_install = [python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", wheel]
    subprocess.run(pip_install, check=True, cwd=tmp_path, env=clean)

    def run(*words: str) -> str:
        command = [tmp_path / "env" / "bin" / "bp", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path, env=clean).stdout

    assert run("config", "copy", "xor").split() == ["xor.yaml"]
    run("train", "xor.yaml", "--quiet")
    assert run("plot", "latest").strip().endswith(".png")
    assert yaml.safe_load(run("config", "show", "bp:lessons/vanishing_relu"))["name"] == "vanishing_relu"
    pages = list((tmp_path / "env").rglob("board/page/index.html"))
    assert len(pages) == 1
    tfds = ["tensorflow-datasets", "array-record", "importlib-resources"]
    subprocess.run([python, "-m", "pip", "uninstall", "-q", "-y", *tfds], check=True, cwd=tmp_path, env=clean)
    run("train", "bp:moons", "--quiet", "--epochs", "2")
    command = [tmp_path / "env" / "bin" / "bp", "data", "get", "kmnist"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=clean, check=False)
    assert (done.returncode, "`pip install tensorflow-datasets array-record" in done.stderr) == (1, True), done.stderr


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_source_archive_passes_its_own_tests(tmp_path: Path) -> None:
    """Those of the fast lane, from the unpacked archive."""
    subprocess.run([sys.executable, "-m", "build", "--sdist", "--outdir", tmp_path, ROOT], check=True)
    archive = next(tmp_path.glob("*.tar.gz"))
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    folder = tmp_path / archive.name.removesuffix(".tar.gz")
    fast = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "fast"]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(fast, cwd=folder, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:]
