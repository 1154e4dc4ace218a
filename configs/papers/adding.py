"""Which new sequences are added up."""

from __future__ import annotations

import numpy as np

from backprop_cli.commands.lessons.look import Runs, after, answers

NEAR = 0.08  # the paper's 0.04, whose targets are half as far apart


def processed(runs: Runs) -> float:
    y, target = answers(after(runs["LSTM"]), "validation")
    return float((np.abs(y - target) < NEAR).mean())
