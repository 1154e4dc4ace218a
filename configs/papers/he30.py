"""How far the signal shrinks on its way."""

from __future__ import annotations

import numpy as np

from backprop_cli.commands.lessons.look import Runs, before, layers, one_pass
from backprop_cli.runs.directory import RunDirectory


def _log_ratio(run: RunDirectory) -> float:
    """log₂ of the root mean square of the 30th layer's outputs over that of the input."""
    prepared = before(run)
    outputs, hidden = one_pass(prepared).outputs, layers(prepared)[:-1]
    first, last = outputs["flatten_1"], outputs[hidden[-1]]
    return float(np.log2(np.sqrt((last**2).mean() / (first**2).mean())))


def xavier_signal(runs: Runs) -> float:
    return _log_ratio(runs["Xavier"])


def he_signal(runs: Runs) -> float:
    return _log_ratio(runs["He"])
