"""Numbers of the worked example."""

from __future__ import annotations

from backprop_cli.commands.lessons.look import Runs, after, answers, before


def _weight(runs: Runs, name: str, row: int, column: int) -> float:
    return float(after(runs["one step"]).network.parameters[name][row, column])


def _output(runs: Runs, trained: bool, column: int) -> float:
    prepared = after(runs["ten thousand steps"]) if trained else before(runs["one step"])
    return float(answers(prepared)[0][0, column])


def first_output(runs: Runs) -> float:
    return _output(runs, False, 0)


def second_output(runs: Runs) -> float:
    return _output(runs, False, 1)


def first_output_at_the_end(runs: Runs) -> float:
    return _output(runs, True, 0)


def second_output_at_the_end(runs: Runs) -> float:
    return _output(runs, True, 1)


def w1(runs: Runs) -> float:
    return _weight(runs, "dense_1.W", 0, 0)


def w4(runs: Runs) -> float:
    return _weight(runs, "dense_1.W", 1, 1)


def w5(runs: Runs) -> float:
    return _weight(runs, "dense_2.W", 0, 0)


def w8(runs: Runs) -> float:
    return _weight(runs, "dense_2.W", 1, 1)


def error_after(runs: Runs) -> float:
    y, target = answers(after(runs["one step"]))
    return float(((y - target) ** 2).mean())
