"""What TAB offers: the same names that the registry knows, found without importing it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backprop_cli import registry
from backprop_cli.cli import completion

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "kind", ["layer", "activation", "loss", "optimizer", "schedule", "initializer", "metric", "transform", "synthetic"]
)
def test_names_are_those_of_the_registry(kind: str) -> None:
    assert completion.of_kind(kind)("") == list(registry.classes(kind))


def test_configs_and_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for name in ("a.yaml", "b.yml", "a.txt", "sub/c.yaml", ".hidden.yaml"):
        (tmp_path / name).touch()
    assert completion.configs("") == ["a.yaml", "b.yml", "sub/"]
    assert completion.configs("a") == ["a.yaml"]
    assert completion.configs("sub/") == ["sub/c.yaml"]
    assert completion.configs(f"{tmp_path}/a") == [f"{tmp_path}/a.yaml"]
    assert completion.configs("nowhere/x") == []


def test_the_shell_gets_runs_and_datasets(tmp_path: Path) -> None:
    for name in ("moons-1", "xor-1"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "run.json").write_text("{}")
    (tmp_path / "runs" / "foreign").mkdir()

    def complete(line: str) -> list[str]:
        words = line.split(" ")
        env = os.environ | {"PYTHONPATH": str(ROOT), "_BP_COMPLETE": "complete_bash"}
        env |= {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
        code = "import sys; sys.argv = ['bp']; from backprop_cli.cli.main import main\ntry:\n main()\n"
        code += "finally:\n assert 'numpy' not in sys.modules"
        done = subprocess.run(
            [sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout.split()

    assert sorted(complete("bp eval ")) == ["latest", "moons-1", "xor-1"]
    assert complete("bp train --resume m") == ["moons-1"]
    assert complete("bp layers lst") == ["lstm"]
    assert complete("bp data info moo") == ["moons"]
    assert complete("bp gradcheck --layer hub") == ["huber"]
    assert complete("bp swe") == ["sweep"]
