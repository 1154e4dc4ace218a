"""What a page shows of one run, of several beside each other, and of a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli.browser.board.log import LogReader
from backprop_cli.browser.board.shelf import Shelf
from backprop_cli.browser.thin import curve, heat, plain
from backprop_cli.commands import compare
from backprop_cli.commands.labels import by_seed, labels
from backprop_cli.commands.sweep.noted import noted
from backprop_cli.config import flat, recorded
from backprop_cli.errors import BpError, UsageError
from backprop_cli.runs.checkpoints.checkpoint import CheckpointFile
from backprop_cli.runs.directory import DIAGNOSTICS, METRICS, RunDirectory
from backprop_cli.runs.plain import read_plain

KEPT = 8  # logs in memory
MAX_CONFIG = 1 << 20  # bytes of a config that is shown
MAX_RUNS = 40  # beside each other
MAX_ARRAYS = 64  # of a checkpoint whose values are counted
MAX_VALUES = 50_000_000  # of all of them together
BINS = 40
RECORDED = ("gradient_norm", "update_ratio", "weight_norm", "saturated", "dead", "std", "mean")


class Facts:
    """Answers for the pages; the logs last asked for stay in memory."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self._logs: dict[str, LogReader] = {}

    def _log(self, path: Path) -> LogReader:
        log = self._logs.pop(str(path), None) or LogReader(path)
        self._logs[str(path)] = log  # the newest last
        if len(self._logs) > KEPT * 2:
            del self._logs[next(iter(self._logs))]
        log.refresh()
        return log

    def run(self, key: str) -> dict[str, Any]:
        """Everything about a run but its curves. Raises UsageError."""
        run = self.shelf.run(key)
        return {
            **self.shelf.told(key),
            "info": {name: value for name, value in run.info.items() if name not in ("metrics", "best")},
            "config": _config(run),
            "resume": None if run.status == "completed" else f"bp train --resume {run.path}",
        }

    def curves(self, key: str) -> dict[str, Any]:
        """{"rows", "cut", "curves": {name: {"epoch", "step", "time", "y"}}}"""
        log = self._log(self.shelf.run(key).path / METRICS)
        rows = len(log.x["step"])
        return {"rows": rows, "cut": log.cut, "curves": {name: curve(log, name) for name in list(log.columns)}}

    def spark(self, key: str) -> list[float | None]:
        """The curve in a row of the table: what the run watches, else its loss."""
        book = self.shelf.books.get(key)
        if book is None:
            return []
        path = book.path / METRICS
        if book.row["status"] == "running":
            log = self._log(path)
        else:  # looked at once: thousands of them would not stay in memory
            log = LogReader(path)
            log.refresh()
        watched = [name for name in book.row["best"] or {} if "/" in str(name)]
        name = next((name for name in (*watched, "validation/loss", "train/loss") if name in log.columns), None)
        return curve(log, name, 48)["y"] if name else []

    def flow(self, key: str) -> dict[str, Any]:
        """Quantity -> layer × time, of what was recorded."""
        log = self._log(self.shelf.run(key).path / DIAGNOSTICS)
        recorded = [name for name in RECORDED if any(column.startswith(f"{name} of ") for column in log.columns)]
        return {quantity: heat(log, quantity) for quantity in recorded}

    def histograms(self, key: str) -> list[dict[str, Any]]:
        """Of the weights in the last checkpoint: {"name", "shape", "low", "high", "counts", "mean", "std"}."""
        run = self.shelf.run(key)
        file = CheckpointFile(run.checkpoint("last"))
        shown, left = [], MAX_VALUES
        for name, entry in islice(file.entries.items(), MAX_ARRAYS):
            if "/" in name or entry.dtype.kind != "f":  # slots of the optimizer, sums of metrics
                continue
            left -= int(np.prod(entry.shape))
            if left < 0:
                break
            values = file.read([name])[name].astype(np.float64).reshape(-1)
            kept = values[np.isfinite(values)]
            if kept.size:
                counts, edges = np.histogram(kept, min(BINS, max(5, kept.size // 2)))
                mean, std = plain(np.array([kept.mean(), kept.std()]))
                ends = {"low": float(edges[0]), "high": float(edges[-1]), "mean": mean, "std": std}
                shape, lost = list(entry.shape), values.size - kept.size
                shown.append({"name": name, "shape": shape, "counts": counts.tolist(), "lost": lost, **ends})
        return shown

    def compare(self, keys: Sequence[str]) -> dict[str, Any]:
        """Labels, groups that differ in the seed alone, and a table: config beside metrics. Raises UsageError."""
        if not 1 < len(keys) <= MAX_RUNS:
            raise UsageError(f"expected 2 to {MAX_RUNS} runs to compare, got {len(keys)}")
        runs = [self.shelf.run(key) for key in keys]
        comparison = compare.compare(runs)
        table = [row for row in compare.rows(comparison) if len({str(value) for value in row[2:-1]}) > 1]
        return {"labels": labels(runs), "groups": by_seed(runs), "rows": table}

    def sweep(self, key: str) -> dict[str, Any]:
        """The axes of a sweep, what it watches, and each trial: {"key", "values", "status", "score"}.

        Raises UsageError for one that is gone.
        """
        folder = self.shelf.sweeps.get(key)
        if folder is None:
            raise UsageError("there is no such sweep any more")
        values = {str(row.get("trial")): row.get("varied") for row in noted(folder)}
        trials = []
        for own, book in self.shelf.books.items():
            if book.sweep == key:
                given = values.get(book.path.name)
                best = book.row["best"] or {}
                score = next(((name, value) for name, value in best.items() if "/" in str(name)), (None, None))
                trials.append({"key": own, "run_id": book.row["run_id"], "status": book.row["status"],
                               "values": given if isinstance(given, dict) else {},
                               "monitor": score[0], "score": score[1]})  # fmt: skip
        axes = dict.fromkeys(str(axis) for trial in trials for axis in trial["values"])
        monitors = [trial["monitor"] for trial in trials if trial["monitor"]]
        return {"name": folder.name, "axes": list(axes), "monitor": monitors[0] if monitors else None, "trials": trials}


def _config(run: RunDirectory) -> dict[str, Any]:
    """The config as it stands in the run, and each value as [path, value, origin], or why it cannot be shown. An origin
    is null where run.json does not record it."""
    try:
        text = read_plain(run.config, MAX_CONFIG).decode("utf-8", "replace")
        given = run.info.get("origins")
        changed = {path: f"--resume at step {change.get('step', '?')}"
                   for change in run.info.get("changes", []) for path in change.get("changed", {})}  # fmt: skip
        values = [
            (path, value, changed.get(path) or _origin(given, path)) for path, value in flat(recorded(run.config))
        ]
        return {"text": text, "values": values, "problem": None}
    except (BpError, OSError) as error:
        return {"text": "", "values": [], "problem": str(error)}


def _origin(given: Mapping[str, str] | None, path: str) -> str | None:
    """Where a value comes from: config.yaml may write `relu` for {type: relu}, [accuracy] for [{type: accuracy}]."""
    if given is None:
        return None
    spellings = (path, f"{path}.type", f"{path}.0", f"{path}.0.type")
    return next((given[spelling] for spelling in spellings if spelling in given), "default")
