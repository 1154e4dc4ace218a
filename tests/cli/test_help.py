"""What `bp` says of itself: every command found, nothing cut off, examples as they were written."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from backprop_cli.cli.group import REST, SECTIONS
from backprop_cli.cli.main import app
from tests.conftest import ROOT as ROOT_FOLDER

ROOT: Any = typer.main.get_command(app)


def commands(group: Any = ROOT, path: str = "bp") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        yield f"{path} {name}", command
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")


def help_of(path: str, command: Any) -> str:
    context = command.make_context(path, ["x"] if hasattr(command, "commands") else [], resilient_parsing=True)
    return str(command.get_help(context))


def test_bp_alone_prints_its_help(bp) -> None:
    alone, asked = bp(), bp("--help")
    assert alone.code == asked.code == 0
    assert alone.out == asked.out
    assert not alone.err
    assert "x08" not in alone.out, "marks of paragraphs are shown"
    assert max(map(len, asked.out.splitlines())) <= 80
    found = [asked.out.index(f"\n{title}:") for title in SECTIONS]
    assert found == sorted(found)
    assert asked.out.index("  train ") == min(asked.out.index(f"\n  {name} ") + 1 for name in ROOT.commands)


def test_every_command_has_its_place() -> None:
    assert REST not in ROOT.sections()


@pytest.mark.parametrize(("path", "command"), list(commands()), ids=[path for path, _ in commands()])
def test_every_command_explains_itself(path: str, command: Any) -> None:
    summary = command.get_short_help_str(1000)
    assert summary.endswith(".")
    assert len(summary) <= 80 - 4 - 12, "does not fit beside its name"
    if hasattr(command, "commands"):
        return
    text = help_of(path, command)
    assert all(len(line) <= (92 if line.startswith("    bp ") else 80) for line in text.splitlines())
    assert "{" not in text.splitlines()[0]
    examples = re.findall(rf"^    ({path}\b.*)", text, re.MULTILINE)
    assert examples, "no examples"
    for each in examples:
        assert set(re.findall(r"--\w[\w-]*", each)) <= {opt for param in command.params for opt in param.opts}


@pytest.mark.process
def test_help_is_quick_and_needs_no_numpy() -> None:
    loaded = (
        "import sys; sys.argv = ['bp', '--help']\ntry:\n import backprop_cli.__main__\nfinally:\n print(*sys.modules)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    modules = done.stdout.splitlines()[-1].split()
    assert "typer" in modules
    assert not {"numpy", "tensorflow_datasets", "rich", "pydantic", "yaml", "asyncio"} & set(modules)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used < 0.35, f"{used:.2f} s of CPU time"


@pytest.mark.process
def test_listing_runs_needs_no_numpy(tmp_path: Path) -> None:
    listing = "import sys; sys.argv = ['bp', 'runs', 'ls']\ntry:\n import backprop_cli.__main__\nfinally:\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{listing} print('numpy' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout.splitlines()[-1] == "False"


def test_the_module_is_the_command(bp) -> None:
    assert bp("--version").out.startswith("bp ")


def test_results_are_printed_by_print() -> None:
    """typer.echo takes an ASCII terminal for a mistake, and writes UTF-8 into it."""
    for path in (ROOT_FOLDER / "backprop_cli" / "cli").glob("*.py"):
        assert path.name in ("group.py", "main.py") or "typer.echo" not in path.read_text(), path.name
