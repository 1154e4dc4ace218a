"""What `bp runs` tells about many runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backprop_cli.runs.directory import list_runs


def overview(runs: Path) -> list[dict[str, Any]]:
    """A row a run, oldest first; what `bp runs ls --json` prints."""
    rows = []
    for run in list_runs(runs):
        info = run.info
        metrics = info.get("metrics") or {}
        rows.append(
            {
                "run_id": run.id,
                "status": info.get("status"),
                "started": info.get("started"),
                "ended": info.get("ended"),
                "epochs": metrics.get("epoch", 0),
                "metrics": metrics,
                "best": info.get("best"),
                "path": str(run.path),
            }
        )
    return rows
