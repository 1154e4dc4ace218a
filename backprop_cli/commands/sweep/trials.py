"""What a sweep varies: a grid, or a seeded random search.

Axes come from `--set`: `key=a,b,c` (a list), `key=0..4` (whole numbers), `key=log:1e-4..1e-1` and
`key=uniform:0..0.5` (drawn, with --trials). A trial is a set of overrides; its id is a digest of them,
so that a sweep finds its own trials again. The rest of the config is the same in all of them (`changed`).
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli import build
from backprop_cli.config import Config, diff, load_config, resolved
from backprop_cli.config.load import MAX_SHOWN
from backprop_cli.config.spelling import flow
from backprop_cli.data.progress import Show
from backprop_cli.engine.metrics.base import Metric
from backprop_cli.errors import BpError, ConfigError, Problem, UsageError
from backprop_cli.model.weights.load import settle
from backprop_cli.runs.directory import RunDirectory, list_runs

_WHOLE = re.compile(r"^(-?\d+)\.\.(-?\d+)$")
_DRAWN = re.compile(r"^(log|uniform):(.+?)\.\.(.+)$")
MAX_TRIALS = 10_000
LOOKED_AT = 10  # trials of a sweep that is gone on with
PATIENCE = 20.0  # seconds for building networks before the first trial starts


@dataclass(frozen=True)
class Variation:
    """One varied key: its values, or the bounds it is drawn between."""

    key: str
    values: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False

    def draw(self, rng: np.random.Generator) -> str:
        """One value for a random search."""
        if self.values:
            return self.values[int(rng.integers(len(self.values)))]
        if self.log:
            return f"{math.exp(rng.uniform(math.log(self.low), math.log(self.high))):.6g}"
        return f"{rng.uniform(self.low, self.high):.6g}"


@dataclass(frozen=True)
class Trial:
    """One training of a sweep: `overrides` are its --set values, `id` names its folder."""

    id: str
    overrides: tuple[str, ...]
    varied: dict[str, str]

    def __str__(self) -> str:
        return " ".join([self.id, *self.settings])

    @property
    def fixed(self) -> list[str]:
        """What is the same in every trial of its sweep, as it is given with --set."""
        return [text for text in self.overrides if text.partition("=")[0] not in self.varied]

    @property
    def settings(self) -> list[str]:
        """What is varied, as it is given with --set."""
        return [f"{key}={value}" for key, value in self.varied.items()]


def parse(settings: Sequence[str]) -> tuple[list[Variation], list[str]]:
    """The axes among `--set` values, and those that are the same in every trial. Raises UsageError."""
    axes, fixed = [], []
    for text in settings:
        key, equals, right = text.partition("=")
        axis = _axis(key, right) if equals and not key.startswith("~") and not key.endswith("+") else None
        if axis is None:
            fixed.append(text)
        else:
            axes.append(axis)
    return axes, fixed


def _axis(key: str, right: str) -> Variation | None:
    whole = _WHOLE.match(right)
    if whole:
        low, high = int(whole[1]), int(whole[2])
        if high < low or high - low >= MAX_TRIALS:
            raise UsageError(f"--set {key}={right}: expected first..last with at most {MAX_TRIALS:,} numbers between")
        return Variation(key, tuple(str(number) for number in range(low, high + 1)))
    drawn = _DRAWN.match(right)
    if drawn:
        try:
            low_f, high_f = float(drawn[2]), float(drawn[3])
        except ValueError:
            raise UsageError(f"--set {key}={right}: expected {drawn[1]}:LOW..HIGH with two numbers") from None
        if not low_f < high_f or (drawn[1] == "log" and low_f <= 0):
            raise UsageError(f"--set {key}={right}: expected LOW < HIGH, and LOW > 0 with log:")
        return Variation(key, (), low_f, high_f, drawn[1] == "log")
    values = tuple(_split(right))
    return Variation(key, values) if len(values) > 1 else None


def _split(text: str) -> Iterator[str]:
    """The parts between commas that stand outside brackets and quotes."""
    depth, quote, start = 0, "", 0
    for i, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "[{":
            depth += 1
        elif letter in "]}":
            depth -= 1
        elif letter == "," and depth == 0:
            yield text[start:i].strip()
            start = i + 1
    yield text[start:].strip()


def plan(settings: Sequence[str], count: int | None = None, seed: int = 0) -> list[Trial]:
    """Every point of the grid, or `count` points drawn from a generator of this seed. Raises UsageError."""
    axes, fixed = parse(settings)
    if not axes:
        raise UsageError("nothing varies; expected --set KEY=A,B or KEY=0..4 or, with --trials, KEY=log:A..B")
    continuous = [axis.key for axis in axes if not axis.values]
    if count is None:
        if continuous:
            raise UsageError(f"{continuous[0]} is drawn from a range; say how often with --trials N")
        size = math.prod(len(axis.values) for axis in axes)
        if size > MAX_TRIALS:
            raise UsageError(f"a grid of {size:,} trials; expected at most {MAX_TRIALS:,}, or --trials N of it")
        points: list[tuple[str, ...]] = list(itertools.product(*(axis.values for axis in axes)))
    else:
        rng = np.random.default_rng(seed)
        points = [tuple(axis.draw(rng) for axis in axes) for _ in range(count)]
    made = {}
    for point in points:
        varied = {axis.key: value for axis, value in zip(axes, point, strict=True)}
        overrides = (*fixed, *(f"{key}={value}" for key, value in varied.items()))
        made[_digest(overrides)] = Trial(_digest(overrides), overrides, varied)
    return list(made.values())


def _digest(overrides: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(overrides).encode()).hexdigest()[:8]


def others(folder: Path, planned: Sequence[Trial], noted: Sequence[Mapping[str, Any]]) -> list[str]:
    """The --set values of a trial in the folder that belongs to another sweep: one with other fixed values. Empty
    where there is none. `noted` are the trials that sweep.json lists: they tell what was varied."""
    varied = {row.get("trial"): row.get("varied") for row in noted}
    fixed = sorted(planned[0].fixed)
    for run in list_runs(folder):
        of = varied.get(run.path.name)
        if _is_trial(run) and isinstance(of, dict):
            trial = Trial(run.path.name, tuple(map(str, run.info["overrides"])), of)
            if sorted(trial.fixed) != fixed:
                return list(trial.overrides)
    return []


def changed(config: Path, folder: Path, again: Sequence[Trial] = (), plugins: Sequence[Path] = ()) -> list[str]:
    """Options with another value now than when the trials in the folder were trained: `key: before, now after`.

    `plugins` are the config's; what the trials themselves name is not run. Those that are trained `again` do not
    count. Of the others a few are looked at, and the one most like the config tells: a single trial may have been
    made longer since.
    """
    gone = {trial.id for trial in again}
    trained = (run for run in list_runs(folder) if run.path.name not in gone and _is_trial(run))
    found = []
    for run in itertools.islice(trained, LOOKED_AT):
        try:
            now = load_config(config, run.info["overrides"], plugins=plugins)
            settle(now)
            before = load_config(run.config, plugins=now.plugins)
            copies = sorted(path.read_bytes() for path in run.plugin_copies())
            wanted = sorted(path.read_bytes() for path in now.plugins)
        except (BpError, OSError):  # then this one cannot tell
            continue
        if now.trainer.kernels == "auto":
            now.trainer.kernels = before.trainer.kernels  # which a run settles
        if type(now.dataset) is type(before.dataset):
            now.dataset.take_settled(before.dataset)
        differ = [
            f"{key}: {'none' if old is None else flow(old)}, now {'none' if new is None else flow(new)}"
            for key, old, new in diff(before, now)
            if key != "name"
        ]
        found.append(differ + ["the files of plugins"] * (copies != wanted))
    return min(found, key=len, default=[])


def _is_trial(run: RunDirectory) -> bool:
    overrides = run.info.get("overrides")
    return isinstance(overrides, list) and run.path.name == _digest(map(str, overrides))


def check_trials(config: Path, chosen: Sequence[Trial], progress: Show | None = None) -> tuple[list[Metric], set[str]]:
    """Load every trial's config and, where networks or data differ, build them: mistakes show before anything runs.

    Gives the metrics that the trials compute, and the names of the numbers that they will have. Raises DataError, and
    ConfigError with every mistake of every trial, once.
    """
    began, tried, attempts, code = time.monotonic(), set[str](), 0, 2
    metrics: list[Metric] = []
    columns, wrong = {"epoch", "step", "time", "learning_rate"}, dict[Problem, list[Trial]]()
    for trial in chosen:
        try:
            cfg = load_config(config, trial.overrides)
            structure = _structure(cfg)
            if structure in tried or time.monotonic() - began > PATIENCE:
                continue
            tried.add(structure)
            columns |= _build(cfg, progress)
            metrics += cfg.trainer.metrics
        except ConfigError as error:
            code = error.exit_code
            for problem in error.problems:
                wrong.setdefault(problem, []).append(trial)
        attempts += 1
    if wrong:
        found = ConfigError([_told(problem, among, attempts) for problem, among in wrong.items()][:MAX_SHOWN])
        found.exit_code = code
        raise found
    return metrics, columns


def _structure(cfg: Config) -> str:
    """All of a config that can make a difference to whether it can be built."""
    found = resolved(cfg)
    found["optimizer"] = found["optimizer"].get("groups")
    found["trainer"] = {key: each for key, each in found["trainer"].items() if key != "epochs"}
    return json.dumps({key: each for key, each in found.items() if key not in ("name", "seed")}, default=str)


def _build(cfg: Config, progress: Show | None) -> set[str]:
    """The names of the numbers that this config will have. Raises ConfigError, DataError."""
    prepared = build.prepare(cfg, progress=progress)
    build.training(prepared)
    splits = {"train", "validation"} & prepared.dataset.splits.keys()
    return {f"{split}/{name}" for split in splits for name in ("loss", *(m.key for m in cfg.trainer.metrics))}


def _told(problem: Problem, among: Sequence[Trial], attempts: int) -> Problem:
    """A problem that only some trials have, with the id of one of them unless its own --set is named already."""
    if len(among) == attempts or str(problem.file).startswith("--set "):
        return problem
    return replace(problem, message=f"{problem.message} (with {' '.join(among[0].settings)})")
