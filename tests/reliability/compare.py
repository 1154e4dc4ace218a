"""Two runs side by side: every bit of what training made, the clock aside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.checkpoints import Checkpoint

EVERYTHING = Path(__file__).with_name("everything.yaml")


def outcome(run: Path) -> dict[str, Any]:
    """Weights, state, optimizer, best weights, generators and rows of a run, as bytes or plain values."""
    checkpoint = Checkpoint.read(run / "checkpoints" / "last.safetensors")
    best = Checkpoint.read(run / "checkpoints" / "best.safetensors")
    found: dict[str, Any] = {name: array.tobytes() for name, array in checkpoint.arrays.items()}
    found |= {f"best/{name}": array.tobytes() for name, array in best.arrays.items()}
    timeless = ("seconds", "row", "Recorder")
    found["values"] = {name: value for name, value in checkpoint.values.items() if name not in timeless}
    found["rows"] = rows(run)
    found["status"] = json.loads((run / "run.json").read_text())["status"]
    return found


def rows(run: Path) -> list[dict[str, Any]]:
    """metrics.jsonl without the time column; every line must be JSON without NaN."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} in metrics.jsonl")

    lines = (run / "metrics.jsonl").read_text().splitlines()
    found = [json.loads(line, parse_constant=refuse) for line in lines]
    return [{name: value for name, value in row.items() if name != "time"} for row in found]


def differences(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    """The names under which two outcomes differ."""
    return [name for name in {**a, **b} if a.get(name) != b.get(name)]
