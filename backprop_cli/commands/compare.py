"""Several runs side by side: where their configs differ, and their final metrics."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from backprop_cli.config import diff, recorded
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.runs.listing import measured

IGNORED = ("name",)  # says nothing about the training


def compare(runs: Sequence[RunDirectory]) -> dict[str, Any]:
    """What `bp runs compare --json` prints: for every config key that differs, and every metric, a value a run.

    `metrics` are those of the last epoch, `best` the best epoch of each run by what it monitored,
    `config` the dotted paths that are not the same in all; None where a run has no such key.
    """
    loaded = [recorded(run.config) for run in runs]
    first = loaded[0]
    paths: dict[str, list[Any]] = {}
    for i, other in enumerate(loaded[1:], start=1):
        for path, ours, theirs in diff(first, other):
            paths.setdefault(path, [ours] * len(runs))[i] = theirs
    paths = {path: values for path, values in paths.items() if not _one_file(runs, values)}
    last = [measured(run) for run in runs]
    names = list(dict.fromkeys(name for row in last for name in row if "/" in name))
    return {
        "runs": [run.id for run in runs],
        "config": {path: values for path, values in sorted(paths.items()) if path not in IGNORED},
        "metrics": {name: [row.get(name) for row in last] for name in names},
        "best": [run.info.get("best") for run in runs],
        "epochs": [row.get("epoch") for row in last],
        "seconds": [row.get("time") for row in last],
        "parameters": [run.info.get("parameters") for run in runs],
        "status": [run.status for run in runs],
    }


def _one_file(runs: Sequence[RunDirectory], values: list[Any]) -> bool:
    """Whether these are paths that lead from each run to the same place."""
    return (
        all(isinstance(value, str) for value in values)
        and len({os.path.normpath(run.path.absolute() / value) for run, value in zip(runs, values, strict=True)}) == 1
    )


def essential(config: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The differences of `config` without those that follow from others: options which one run has and another has
    not, because something has another `type` there."""
    typed = [path.removesuffix("type") for path in config if path.endswith(".type")]

    def follows(path: str, values: list[Any]) -> bool:
        inside = any(path.startswith(owner) and path != f"{owner}type" for owner in typed)
        return inside and None in values and (not path.endswith(".type") or path.endswith("_initializer.type"))

    return {path: values for path, values in config.items() if not follows(path, values)}


def rows(comparison: dict[str, Any]) -> list[list[Any]]:
    """The same as table rows: the kind, the key, a value a run, and for numbers the spread."""
    table: list[list[Any]] = [["config", path, *values] for path, values in essential(comparison["config"]).items()]
    table += [["run", key, *comparison[key]] for key in ("status", "epochs", "seconds", "parameters")]
    table += [["last", name, *values] for name, values in comparison["metrics"].items()]
    monitored = dict.fromkeys(key for best in comparison["best"] if best for key in best if "/" in key)
    table += [["best", name, *((best or {}).get(name) for best in comparison["best"])] for name in monitored]
    return [[*row, _spread(row[2:])] for row in table]


def _spread(values: list[Any]) -> float | None:
    """Last minus first, where both are numbers."""
    ends = [
        value for value in (values[0], values[-1]) if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    return ends[1] - ends[0] if len(ends) == 2 else None
