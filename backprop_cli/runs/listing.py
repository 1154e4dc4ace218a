"""What `bp runs` tells about many runs: rows, filters, order, columns."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from os.path import isfile  # False for what may not be looked at, where Path.is_file raises
from pathlib import Path
from typing import Any

from backprop_cli.errors import BpError, DamagedError, UsageError, did_you_mean, suggest
from backprop_cli.runs.directory import SWEEP, RunDirectory, moment
from backprop_cli.runs.metrics_log import last
from backprop_cli.runs.plain import read_plain

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
MAX_CONFIG = 1 << 20  # bytes of a config that columns are taken from
Near = Callable[[str], set[str]]  # names like this one that some run could have, itself included if it is one
_WHERE = re.compile(r"^\s*([^<>=!]+?)\s*(<=|>=|!=|==|<|>|=)\s*(.*?)\s*$")


def overview(runs: Path) -> list[dict[str, Any]]:
    """A row a run, oldest first; what `bp runs ls --json` prints. The folder of a sweep has the status `sweep`,
    one whose run.json has values that no run has `damaged`, one without a readable run.json `unreadable`; other files
    are passed over."""
    rows = []
    for path in sorted(runs.iterdir()) if runs.is_dir() else []:
        if path.name.startswith(".") or not path.is_dir():
            continue
        rows.append(row_of(path))
    return sorted(rows, key=lambda row: moment(row["started"]))


def row_of(path: Path) -> dict[str, Any]:
    """The row of one run, or of what lies where a run could."""
    try:
        run = RunDirectory(path)
        return _row(path, {**run.info, "id": run.id, "status": run.status, "metrics": measured(run)})
    except DamagedError:
        return _row(path, {"status": "damaged"})
    except BpError:
        return _row(path, {"status": "sweep" if isfile(path / SWEEP) else "unreadable"})


def measured(run: RunDirectory) -> dict[str, Any]:
    """A run's last row of metrics, {} before its first epoch. Of one that goes on only its log knows it."""
    row = last(run.metrics) if run.info["status"] == "running" else None
    return row or run.info.get("metrics") or {}


def _row(path: Path, info: dict[str, Any]) -> dict[str, Any]:
    metrics = info.get("metrics") or {}
    return {
        "run_id": info.get("id", path.name),
        "status": info.get("status"),
        "started": info.get("started"),
        "ended": info.get("ended"),
        "epochs": metrics.get("epoch", 0),
        "seconds": metrics.get("time"),
        "seed": info.get("seed"),
        "metrics": metrics,
        "best": info.get("best"),
        "dataset": (info.get("dataset") or {}).get("name"),
        "parameters": info.get("parameters"),
        "path": str(path),
    }


def value(row: dict[str, Any], key: str) -> Any:
    """A column of a row: `status`, a metric as `validation/loss`, `best.epoch`, or any key of the run's
    config as `optimizer.learning_rate`, which is read from the run only then. None where there is none."""
    if key in row:
        return row[key]
    if key in row["metrics"]:
        return row["metrics"][key]
    parts = key.split(".")
    if parts[0] == "best" and row["best"]:
        return row["best"].get(".".join(parts[1:]))
    node: Any = _section(row, parts[0])
    for part in parts:
        if isinstance(node, list):
            node = node[int(part)] if part.isdigit() and int(part) < len(node) else None
        else:
            node = node.get(part) if isinstance(node, dict) else None
    return node


def _section(row: dict[str, Any], key: str) -> Any:
    """A run's config, or of one that bp wrote only this key: thousands of files take too long to parse."""
    if "config" not in row:
        try:
            row["config"] = read_plain(Path(row["path"]) / "config.yaml", MAX_CONFIG).decode()
        except (OSError, ValueError):
            row["config"] = ""
    lines = re.search(rf"^{re.escape(key)}:.*\n(?:[ -].*\n)*", row["config"], re.MULTILINE)
    return _parsed(lines[0] if lines else row["config"])


@cache
def _parsed(text: str) -> Any:
    import yaml

    try:
        return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError, ValueError):
        return None


def _keys(value: Any, path: str = "") -> Iterator[str]:
    """The dotted paths of a config."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in pairs:
        yield f"{path}{key}"
        yield from _keys(child, f"{path}{key}.")


def require(rows: Sequence[dict[str, Any]], key: str, option: str, near: Near) -> None:
    """Raise UsageError with the nearest name where no run has a column of this name, and none could have."""
    if not rows or any(key in row or value(row, key) is not None for row in rows):
        return
    possible = near(key)
    if key in possible:
        return
    shown = {name for row in rows for name in [*row, *row["metrics"]]} - {"config"}
    meant = suggest(key, [*shown, *_keys(_parsed(rows[-1]["config"])), *sorted(possible)])
    hint = did_you_mean(meant)
    raise UsageError(
        f"{option}: no run has {key!r}; expected one of {', '.join(sorted(shown))}, or a key of the config{hint}"
    )


def matching(rows: Sequence[dict[str, Any]], conditions: Sequence[str], near: Near) -> list[dict[str, Any]]:
    """The rows that meet every condition: `optimizer.learning_rate<0.01`, `status=completed`. Raises UsageError."""
    kept = list(rows)
    for text in conditions:
        match = _WHERE.match(text)
        if match is None:
            raise UsageError(f"--where {text}: expected KEY<VALUE, with one of {', '.join(_COMPARISONS)}")
        key, sign, right = match.groups()
        require(rows, key, f"--where {text}", near)
        kept = [row for row in kept if _meets(value(row, key), _COMPARISONS[sign], right)]
    return kept


def _meets(left: Any, compare: Callable[[Any, Any], bool], right: str) -> bool:
    if left is None:
        return False
    try:
        return compare(float(left), float(right))
    except (TypeError, ValueError, OverflowError):
        return compare(str(left), right)


def order(rows: Sequence[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Sorted by a column; `-key` from the largest down. Runs without it come last."""
    down, name = key.startswith("-"), key.removeprefix("-")
    have = [row for row in rows if value(row, name) is not None]
    lack = [row for row in rows if value(row, name) is None]

    def comparable(row: dict[str, Any]) -> tuple[bool, Any]:
        cell = value(row, name)
        return (isinstance(cell, str), cell if isinstance(cell, str | int | float) else str(cell))

    return sorted(have, key=comparable, reverse=down) + lack
