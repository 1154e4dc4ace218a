"""The weights of the line."""

from __future__ import annotations

import numpy as np

from backprop_cli.commands.lessons.look import Runs, after


def weight(runs: Runs) -> float:
    return float(np.abs(after(runs["line"]).network.parameters["dense_1.W"]).max())


def bias(runs: Runs) -> float:
    return float(after(runs["line"]).network.parameters["dense_1.b"][0])
