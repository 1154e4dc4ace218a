"""What TAB offers: the same names that the registry knows, found without importing it."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from backprop_cli import registry
from backprop_cli.cli import completion, keys

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


def test_names_that_a_shell_would_obey_are_not_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("good", "$(touch PWNED)", "`id`", "a;b", "a\nb", "a|b", "\x1b[31m", "a\u202eb", "'", "*"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "run.json").write_text("{}")
        (tmp_path / "runs" / name / "sweep.json").write_text("{}")
        (tmp_path / f"{name}.yaml").touch()
    context = SimpleNamespace(params={})
    assert completion.runs(context, "") == ["latest", "good"]
    assert completion.sweeps(context, "") == ["good"]
    assert completion.configs("") == ["good.yaml", "runs/"]
    assert completion.runs(context, "runs/") == ["runs/good"]


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), Path.mkdir])
def test_a_shell_does_not_wait_for_what_is_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], object]
) -> None:
    make(tmp_path / "c.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COMP_WORDS", "bp train c.yaml --set see")
    assert keys.settings("see") == ["seed="]
    context = SimpleNamespace(params={"plugin": [tmp_path / "c.yaml"]})
    assert "dense" in completion.of_kind("layer")("", context)


@pytest.mark.long
def test_the_shell_gets_runs_and_datasets(tmp_path: Path) -> None:
    for name in ("moons-1", "xor-1"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "run.json").write_text("{}")
    (tmp_path / "runs" / "foreign").mkdir()

    (tmp_path / "c.yaml").write_text("architecture: [{type: dense, units: 3, name: top}]\noptimizer: sgd\n")

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
    assert complete("bp eval runs/x") == ["runs/xor-1"]
    assert complete("bp plot latest --kind bou") == ["boundary"]
    assert complete("bp config init --task re") == ["regression"]
    assert complete("bp train c.yaml --set optimizer.nest") == ["optimizer.nesterov="]
    assert complete("bp train c.yaml --set architecture.") == ["architecture.0.", "architecture.top."]
    assert complete("bp train c.yaml --set architecture.top.bias_i") == [
        "architecture.top.bias_initializer.",
        "architecture.top.bias_initializer=",
    ]
    assert complete("bp train c.yaml --unset trainer.early_stopping.pat") == ["trainer.early_stopping.patience"]
    assert complete("bp train bp : moo") == ["moons"]  # as bash breaks words; it wants the part after the colon
    assert complete("bp train c.yaml --set optimizer.type = adamw") == ["adamw"]
    assert complete("bp train c.yaml --set trainer.shuffle = ") == ["true", "false"]


SETUP = {
    "bash": (["--norc", "-i"], 'eval "$(bp --show-completion bash)"'),
    "zsh": (["-f", "-i"], 'autoload -U compinit; compinit -u; eval "$(bp --show-completion zsh)"'),
    "fish": (["--no-config", "-i"], "bp --show-completion fish | source"),
}


@pytest.mark.parametrize("shell", [shell for shell in SETUP if shutil.which(shell)])
def test_a_real_shell_completes(tmp_path: Path, shell: str) -> None:
    """TAB on a terminal; of the shells that are installed here."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/bp").write_text(f'#!/bin/sh\nexec {sys.executable} -m backprop_cli "$@"\n')
    (tmp_path / "bin/bp").chmod(0o755)
    options, setup = SETUP[shell]
    path = f"{tmp_path}/bin:{os.environ['PATH']}"
    child, terminal = pty.fork()  # the shell needs one of its own
    if child == 0:
        os.chdir(tmp_path)
        env = os.environ | {"PATH": path, "TERM": "xterm", "HOME": str(tmp_path), "PS1": "$ "}
        os.execvpe(shell, [shell, *options], env)
    try:
        os.write(terminal, f"{setup}; echo rea''dy\n".encode())
        assert b"ready" in _until(terminal, b"ready")
        os.write(terminal, b"bp train bp:moo\t")
        assert b"bp:moons" in _until(terminal, b"bp:moons")
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(terminal)


def _until(terminal: int, awaited: bytes) -> bytes:
    """What a terminal shows, up to what is awaited, for at most 20 seconds; escape sequences left out."""
    seen, end = b"", time.monotonic() + 20
    while awaited not in seen and time.monotonic() < end:
        if select.select([terminal], [], [], 0.5)[0]:
            seen = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", seen + os.read(terminal, 65536))
    return seen
