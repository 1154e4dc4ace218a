"""Train a lesson's configs over seeds, measure, and compare with what is printed and expected."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from backprop_cli.commands.lessons.lesson import Figure, Lesson, as_changes
from backprop_cli.commands.lessons.measure import Runs, function, value
from backprop_cli.commands.train import train
from backprop_cli.config import load_config
from backprop_cli.errors import DivergedError, UsageError
from backprop_cli.runs.directory import RunDirectory

DATA_DIR = "{data_dir}"


@dataclass(frozen=True)
class Result:
    """One figure over the seeds."""

    figure: Figure
    values: Sequence[float]  # one per seed; NaN where a run has none

    @property
    def mean(self) -> float:
        """The mean over the seeds; NaN where a seed has no value."""
        return fmean(self.values)

    @property
    def spread(self) -> float:
        """The standard deviation over the seeds; 0 for one seed, NaN where a seed has no value."""
        if not all(map(math.isfinite, self.values)):
            return math.nan
        return stdev(self.values) if len(self.values) > 1 else 0.0

    @property
    def as_expected(self) -> bool:
        """Whether the mean lies in the interval; never where a seed has no value."""
        low, high = self.figure.expect
        return math.isfinite(self.mean) and low <= self.mean <= high

    def as_json(self) -> dict[str, Any]:
        """What `bp lesson run --json` prints of the figure."""
        return {
            "say": self.figure.say,
            "printed": self.figure.printed,
            "where": self.figure.where,
            "quoted": self.figure.quoted,
            "expect": list(self.figure.expect),
            "mean": self.mean,
            "std": self.spread,
            "values": list(self.values),
            "as_expected": self.as_expected,
        }


@dataclass(frozen=True)
class LessonOutcome:
    """A lesson that was run."""

    lesson: Lesson
    results: list[Result]
    runs: list[Runs]  # by seed
    seconds: float

    @property
    def as_expected(self) -> bool:
        """Whether the mean of every figure lies in its interval."""
        return all(result.as_expected for result in self.results)


def run_lesson(
    lesson: Lesson,
    folder: Path,
    seeds: int = 1,
    said: Callable[[str], None] | None = None,
    data_dir: Path | None = None,
    **options: Any,
) -> LessonOutcome:
    """Train every config of a lesson with `seeds` seeds, the config's own first, into run directories under `folder`.

    A diverging run is one of the outcomes. `said` is told what begins. `data_dir` is the folder of the original data
    that some lessons need. Raises UsageError, ConfigError, DataError.
    """
    began = time.perf_counter()
    if lesson.needs is not None and data_dir is None:
        raise UsageError(
            f"lesson {lesson.name} needs the original MNIST, which does not ship: --data-dir FOLDER with "
            "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz and the two t10k files"
        )
    trained: list[Runs] = []
    for number in range(seeds):
        done: dict[str, RunDirectory] = {}
        for name in lesson.configs:
            if said is not None:
                said(f"{lesson.name}: {name}, seed {number + 1} of {seeds}")
            own = load_config(lesson.config(name)).seed
            path = folder / f"{re.sub(r'[^A-Za-z0-9.-]', '_', name)}-{own + number}"
            changes = [*_changes(lesson, name, data_dir), *_from_before(lesson, name, done, path)]
            changes.append(f"seed={own + number}")
            with suppress(DivergedError):  # `status` says so
                train(load_config(lesson.config(name), changes), run_dir=path, **options)
            done[name] = RunDirectory(path)
        trained.append(done)
    results = [Result(figure, [value(lesson, figure, runs) for runs in trained]) for figure in lesson.figures]
    return LessonOutcome(lesson, results, trained, time.perf_counter() - began)


def _from_before(lesson: Lesson, name: str, done: Runs, path: Path) -> list[str]:
    """What a config is to be changed in that depends on the runs before it; its files go beside the run's directory."""
    named = lesson.function(name)
    if named is None:
        return []
    folder = path.with_name(f"{path.name}-given")
    folder.mkdir(parents=True, exist_ok=True)
    return as_changes(function(lesson, named)(done, folder))


def _changes(lesson: Lesson, name: str, data_dir: Path | None) -> list[str]:
    """What a lesson changes in a config, with the folder of its data: for `manual_dir`, or where `set` names it."""
    changes = lesson.changes(name)
    if data_dir is None:
        return changes
    folder = json.dumps(str(data_dir.resolve()))
    if any(DATA_DIR in change for change in changes):
        return [change.replace(DATA_DIR, folder[1:-1]) for change in changes]
    return [*([f"dataset.manual_dir={folder}"] if lesson.needs else []), *changes]


def quoted(where: str, how: str) -> str:
    """The place of a printed figure, with how it was had."""
    return where + {"source": "", "memory": " (from memory)", "formula": " (its formula)"}[how]
