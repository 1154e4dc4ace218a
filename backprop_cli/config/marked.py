"""The tree between YAML text and Config: plain values that remember where they were written.

Extending, overriding and interpolating all work on nodes, so that whatever a value has gone
through, an error can still point at the line that a person wrote.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any, NamedTuple, TypeAlias

from backprop_cli.errors import ConfigError, Problem
from backprop_cli.untrusted.consent import run_of

Keys: TypeAlias = tuple[str | int, ...]  # ("architecture", 1, "units")

MAX_DEPTH = 64
MAX_NODES = 1_000_000


class Mark(NamedTuple):
    """Where a key or value comes from: a file with line and column from 1, `--set …`, or `default`."""

    origin: str
    line: int | None = None
    column: int | None = None

    @property
    def is_override(self) -> bool:
        """Whether it was given with --set rather than written in a file."""
        return self.origin.startswith("--set ")

    def __str__(self) -> str:
        return ":".join(str(part) for part in self if part is not None)


DEFAULT = Mark("default")


def in_run(mark: Mark) -> bool:
    """Whether a value was written in a file of a run directory, by whoever made that run."""
    return mark.line is not None and not mark.origin.startswith("--set") and run_of(Path(mark.origin)) is not None


class Marked:
    """A value (scalar, `dict[str, Marked]` or `list[Marked]`), where it is, and where its key is."""

    __slots__ = ("key", "mark", "value", "written")

    def __init__(self, value: Any, mark: Mark, key: Mark | None = None) -> None:
        self.value = value
        self.mark = mark
        self.key = key
        self.written: str | None = None  # a scalar as its author wrote it: 1.10

    def children(self) -> Iterator[tuple[str | int, Marked]]:
        """Each key of a mapping, or index of a list, with its value; nothing for a scalar."""
        if isinstance(self.value, dict):
            yield from self.value.items()
        elif isinstance(self.value, list):
            yield from enumerate(self.value)


def dotted(path: Keys) -> str:
    """A path as text: `architecture.1.units`."""
    return ".".join(str(key) for key in path)


def problem(mark: Mark, path: Keys, message: str) -> Problem:
    """The problem `message` with the value at `path`, at the place that `mark` tells."""
    return Problem(mark.origin, mark.line, mark.column, dotted(path), message)


def plain(node: Marked) -> Any:
    """The values without their marks."""
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [plain(child) for child in node.value]
    return node.value


def marked(value: Any, mark: Mark, depth: int = 0) -> Marked:
    """Plain data as a tree, all said to come from one place. Raises ConfigError for what no config can hold."""
    if depth > MAX_DEPTH:
        raise ConfigError([problem(mark, (), f"nested more than {MAX_DEPTH} levels deep")])
    if isinstance(value, Mapping):
        return Marked({str(key): marked(child, mark, depth + 1) for key, child in value.items()}, mark, mark)
    if isinstance(value, list | tuple):
        return Marked([marked(child, mark, depth + 1) for child in value], mark, mark)
    if value is None or isinstance(value, str | int | float):
        return Marked(value, mark, mark)
    if isinstance(value, PurePath):
        return Marked(str(value), mark, mark)
    if hasattr(value, "tolist"):  # a number or an array of NumPy's
        return marked(value.tolist(), mark, depth)
    raise ConfigError([problem(mark, (), f"expected plain values, lists and mappings, got {type(value).__name__}")])


def stamped(node: Marked, mark: Mark) -> Marked:
    """The same values, all said to come from one place."""
    value = node.value
    if isinstance(value, dict):
        value = {key: stamped(child, mark) for key, child in value.items()}
    elif isinstance(value, list):
        value = [stamped(child, mark) for child in value]
    return Marked(value, mark, mark)


def copy(node: Marked, depth: int = 0) -> Marked:
    """A deep copy that keeps its marks; `depth` is the level it will stand at. Raises ConfigError beyond
    `MAX_DEPTH`."""
    value = node.value
    if depth > MAX_DEPTH:
        raise ConfigError([problem(node.mark, (), f"nested more than {MAX_DEPTH} levels deep")])
    if isinstance(value, dict):
        value = {key: copy(child, depth + 1) for key, child in value.items()}
    elif isinstance(value, list):
        value = [copy(child, depth + 1) for child in value]
    return Marked(value, node.mark, node.key)


def size(node: Marked) -> int:
    """The number of values in a tree. Without recursion, which takes three times as long: a file that grows when it is
    read must be refused at once."""
    count, waiting = 0, [node]
    while waiting:
        value = waiting.pop().value
        count += 1
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return count


def marks(node: Marked, path: Keys = ()) -> dict[Keys, Mark]:
    """Every path with the place of its key (of the item itself in a list)."""
    by_path = {path: node.key or node.mark}
    for key, child in node.children():
        by_path.update(marks(child, (*path, key)))
    return by_path


def nearest(marks: Mapping[Keys, Mark], path: Keys) -> Mark:
    """The place of a path, else of the nearest one that holds it."""
    return next((marks[path[:end]] for end in range(len(path), -1, -1) if path[:end] in marks), DEFAULT)
