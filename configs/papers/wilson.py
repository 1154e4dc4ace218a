"""The share of new rows with the wrong sign."""

from __future__ import annotations

import numpy as np

from backprop_cli.commands.lessons.look import Runs, after, answers
from backprop_cli.runs.directory import RunDirectory


def _wrong(run: RunDirectory) -> float:
    y, target = answers(after(run), "test")
    return float((np.sign(y) != target).mean())


def sgd(runs: Runs) -> float:
    return _wrong(runs["SGD"])


def adagrad(runs: Runs) -> float:
    return _wrong(runs["AdaGrad"])


def rmsprop(runs: Runs) -> float:
    return _wrong(runs["RMSProp"])


def adam(runs: Runs) -> float:
    return _wrong(runs["Adam"])
