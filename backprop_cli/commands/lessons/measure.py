"""The figures of a lesson, taken from finished runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from backprop_cli.commands.lessons.lesson import At, Lesson, Measure
from backprop_cli.config.plugin_files import run_file
from backprop_cli.errors import DataError
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.runs.metrics_log import read
from backprop_cli.untrusted.consent import run_of

Runs = Mapping[str, RunDirectory]


def value(lesson: Lesson, measure: Measure, runs: Runs) -> float:
    """The number that a measure says, of the runs of one seed; NaN where a run has none. Raises DataError."""
    name = measure.of or next(iter(lesson.configs))
    if name not in runs:
        raise DataError(f"lesson {lesson.name}: no run called {name!r}; expected one of {', '.join(runs)}")
    if measure.function is not None:
        measured = function(lesson, measure.function)(runs)
    elif measure.status is not None:
        measured = float(runs[name].status == measure.status)
    else:
        measured = _metric(list(read(runs[name].metrics)), str(measure.metric), measure.at)
    if measure.minus is not None:
        measured -= value(lesson, measure.minus, runs)
    if measure.over is not None:
        below = value(lesson, measure.over, runs)
        measured = measured / below if below else math.nan
    return float(measured) * measure.times


def _metric(rows: list[dict[str, Any]], name: str, at: str | At) -> float:
    course = [(row["epoch"], row["step"], row[name]) for row in rows if row.get(name) is not None]
    values = [number for _, _, number in course]
    if not course:
        return math.nan
    if isinstance(at, At):
        for epoch, step, number in course:
            if epoch == at.epoch or step == at.step:
                return float(number)
            if (at.above is not None and number > at.above) or (at.below is not None and number < at.below):
                return float(step)
        return math.nan
    return float({"last": values[-1], "first": values[0], "min": min(values), "max": max(values)}[at])


def function(lesson: Lesson, name: str) -> Any:
    """A function of the lesson's own file: the runs of one seed by short name -> a number. Raises DataError,
    UsageError."""
    if lesson.code is None:
        raise DataError(f"lesson {lesson.name}: function {name!r}, but no `code`")
    path = lesson.folder / lesson.code
    module = run_file(path, given=run_of(path) is None, shipped=lesson.ships)
    if not callable(getattr(module, name, None)):
        raise DataError(f"lesson {lesson.name}: {lesson.code} has no function {name!r}")
    return getattr(module, name)
