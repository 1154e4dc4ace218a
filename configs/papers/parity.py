"""How many steps a sweep has."""

from __future__ import annotations

from backprop_cli.commands.lessons.look import Runs


def steps_per_sweep(runs: Runs) -> float:
    return 16.0
