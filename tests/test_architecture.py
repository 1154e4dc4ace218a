"""The house keeps its shape: imports run downward, and each heavy library has one door."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "backprop_cli"
#: every room and file of the top level -> the rooms it may import
MAY = {
    "__init__": {"commands", "config", "model", "runs"},  # by name, when asked
    "__main__": {"cli"},
    "errors": set(),
    "registry": set(),
    "onnx": set(),
    "seeds": set(),
    "untrusted": set(),
    "plugins": {"data", "engine", "training"},  # what plugin authors import
    "engine": set(),
    "config": set(),
    "data": set(),
    "runs": set(),
    "training": {"engine", "runs"},
    "model": {"config", "data", "engine", "runs", "training"},
    "commands": {"config", "data", "engine", "model", "runs", "training"},
    "insight": {"commands", "config", "data", "engine", "model", "runs", "training"},
    "browser": {"commands", "config", "data", "engine", "insight", "model", "runs", "training"},
    "notebook": set(),  # it starts `bp` as a process
    "sklearn": {"config", "data", "model", "training"},
    "cli": {"browser", "commands", "config", "data", "engine", "insight", "runs", "training"},
}
#: everybody may import these; onnx is an interface
FREE = {"errors", "registry", "onnx", "seeds", "untrusted", "__init__"}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def imported(path: Path) -> list[ast.Import | ast.ImportFrom]:
    """The imports of a file, inside functions too; each file is parsed once for all the tests that ask."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]


def imports(path: Path) -> Iterator[str]:
    for node in imported(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(room: str) -> list[Path]:
    return [path for path in PACKAGE.rglob("*.py") if room_of(path) == room]


ROOMS = sorted({room_of(path) for path in PACKAGE.rglob("*.py")})


def test_every_room_is_governed() -> None:
    assert [room for room in ROOMS if room not in MAY] == []


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_downward(room: str) -> None:
    allowed = MAY[room] | FREE | {room}
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files(room)
        for name in imports(path)
        if name.startswith("backprop_cli.") and name.split(".")[1] in set(ROOMS) - allowed
    ]
    assert wrong == []


@cache
def modules() -> dict[str, set[str]]:
    """Every module with those that it imports anywhere: inside functions and for type checkers, too."""
    paths = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        paths[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return {name: {other for other in reached(path, paths) if other != name} for name, path in paths.items()}


def reached(path: Path, paths: dict[str, Path]) -> Iterator[str]:
    """The modules that a file imports: `from a import b` means a.b where that is a module, else a."""
    for node in imported(path):
        names = []
        if isinstance(node, ast.Import):
            names = [(alias.name, "") for alias in node.names]
        elif node.module:
            names = [(node.module, alias.name) for alias in node.names]
        for module, name in names:
            if module.split(".")[0] == "backprop_cli":
                short = module.removeprefix("backprop_cli").removeprefix(".")
                inner = f"{short}.{name}".removeprefix(".")
                yield from (each for each in [inner if inner in paths else short] if each in paths)


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Groups of modules each of which can be reached from each other one (Tarjan 1972)."""
    numbers: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    groups: list[set[str]] = []

    def visit(name: str) -> None:
        numbers[name] = lowest[name] = len(numbers)
        stack.append(name)
        for other in graph[name]:
            if other not in numbers:
                visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in stack:
                lowest[name] = min(lowest[name], numbers[other])
        if lowest[name] == numbers[name]:
            at = stack.index(name)
            group, stack[at:] = set(stack[at:]), []
            if len(group) > 1:
                groups.append(group)

    for name in graph:
        if name not in numbers:
            visit(name)
    return groups


def test_no_modules_import_each_other() -> None:
    assert [sorted(group) for group in circles(modules())] == []


def room_arrows() -> set[tuple[str, str]]:
    """The rooms that import from one another: once each, however many modules do."""
    graph = modules()
    room = {name: name.split(".")[0] or "__init__" for name in graph}
    pairs = {(room[name], room[other]) for name, others in graph.items() for other in others}
    return {(one, other) for one, other in pairs if one != other}


def test_rooms_and_arrows_become_no_more() -> None:
    """A new room, or a room that imports another for the first time, needs a reason: raise the figure with it.

    `browser` puts a training together of what all the others make; people import `notebook` and `sklearn`.
    """
    assert len(ROOMS) <= 20
    assert len(room_arrows()) <= 84


def test_a_circle_is_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": set()}
    assert circles(graph) == [{"a", "b", "c"}]


def test_a_file_of_more_than_250_lines_says_why() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {lines} lines"
        for path in PACKAGE.rglob("*.py")
        if (lines := path.read_text(encoding="utf-8").count("\n")) > 250
        and "in one file because" not in " ".join((ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split())
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
    light = ("registry", "errors", "untrusted/regular", "untrusted/limits", "untrusted/consent")
    for path in (PACKAGE / f"{name}.py" for name in light):
        names = {name.split(".")[0] for name in imports(path)}
        assert not names & {"numpy", "pydantic", "rich", "typer", "yaml"}


def test_a_network_is_seen_through_its_window_and_a_loop_through_its_hooks() -> None:
    """Nobody outside the engine uses the arrays of a pass, and nobody outside the loop stands in for its parts."""
    inside = {"bound", "_bound", "bind", "start_backward", "_around", "_owners", "plan"}
    parts = {"_update", "_poll", "_checks", "_close_epoch"}
    folders = [PACKAGE, ROOT / "tests", ROOT / "benchmarks", ROOT / "scripts"]
    named = re.compile(rf"\.\s*({'|'.join([*inside, *parts, 'update', 'poll'])})\b")
    wrong = []
    for path in (path for folder in folders for path in folder.rglob("*.py")):
        engine = "engine" in path.relative_to(ROOT).parts
        text = path.read_text(encoding="utf-8")
        if not named.search(text):
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Attribute):
                continue
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            if owner.endswith("network") and node.attr in inside and not engine:
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: {owner}.{node.attr}")
            if owner.endswith("loop") and node.attr in parts | {"update", "poll"}:
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: {owner}.{node.attr}")
    assert wrong == []
