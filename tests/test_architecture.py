"""The house keeps its shape: imports run downward, and each heavy library has one door."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "backprop_cli"
#: room -> the rooms it may import; everybody may import errors, registry and onnx (an interface)
MAY = {
    "errors": set(),
    "registry": set(),
    "onnx": set(),
    "engine": set(),
    "config": set(),
    "data": set(),
    "runs": set(),
    "training": {"engine", "runs"},
    "expand": {"config", "engine"},
    "model": {"config", "data", "engine", "expand", "runs", "training"},
    "weights": {"config", "data", "engine", "model", "runs"},
    "build": {"config", "data", "engine", "expand", "model", "runs", "training", "weights"},
}
ROOMS = sorted(MAY)
FREE = {"errors", "registry", "onnx"}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(room: str) -> list[Path]:
    return [path for path in PACKAGE.rglob("*.py") if room_of(path) == room]


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_downward(room: str) -> None:
    allowed = MAY[room] | FREE | {room}
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files(room)
        for name in imports(path)
        if name.startswith("backprop_cli.") and name.split(".")[1] in {*MAY, "cli", "insight", "session"} - allowed
    ]
    assert wrong == []


def test_only_ui_imports_rich() -> None:
    doors = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if any(name.split(".")[0] == "rich" for name in imports(path))
    }
    assert {Path(door).parent for door in doors} == {Path("cli/ui")}


def test_registry_and_errors_need_the_standard_library_only() -> None:
    for path in (PACKAGE / "registry.py", PACKAGE / "errors.py"):
        names = {name.split(".")[0] for name in imports(path)}
        assert not names & {"numpy", "pydantic", "rich", "typer", "yaml"}


def test_a_network_is_seen_through_its_window_and_a_loop_through_its_hooks() -> None:
    """Nobody outside the engine uses the arrays of a pass, and nobody outside the loop stands in for its parts."""
    inside = {"bound", "_bound", "bind", "start_backward", "_around", "_owners", "plan"}
    parts = {"_update", "_poll", "_checks", "_sums", "_close_epoch"}
    folders = [PACKAGE, ROOT / "tests", ROOT / "benchmarks", ROOT / "scripts"]
    wrong = []
    for path in (path for folder in folders for path in folder.rglob("*.py")):
        engine = "engine" in path.relative_to(ROOT).parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Attribute):
                continue
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            if owner.endswith("network") and node.attr in inside and not engine:
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: {owner}.{node.attr}")
            if owner.endswith("loop") and node.attr in parts | {"update", "poll"}:
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: {owner}.{node.attr}")
    assert wrong == []
