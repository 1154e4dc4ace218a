"""Outputs of the neuron, before and after."""

from __future__ import annotations

from backprop_cli.commands.lessons.look import Runs, after, answers, before


def first(runs: Runs) -> float:
    return float(answers(before(runs["from 0.6 and 0.9"]))[0][0, 0])


def last(runs: Runs) -> float:
    return float(answers(after(runs["from 0.6 and 0.9"]))[0][0, 0])


def first_saturated(runs: Runs) -> float:
    return float(answers(before(runs["from 2 and 2"]))[0][0, 0])


def last_saturated(runs: Runs) -> float:
    return float(answers(after(runs["from 2 and 2"]))[0][0, 0])


def last_entropy(runs: Runs) -> float:
    return float(answers(after(runs["cross-entropy from 2 and 2"]))[0][0, 0])
