"""Many trainings of one config: a grid, or a seeded random search, in several processes.

Axes come from `--set`: `key=a,b,c` (a list), `key=0..4` (whole numbers), `key=log:1e-4..1e-1` and
`key=uniform:0..0.5` (drawn, with --trials). A trial is a set of overrides; its id is a digest of them,
so that a sweep finds its own trials again. Each trial is an ordinary run inside the sweep's folder.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli.errors import UsageError

_WHOLE = re.compile(r"^(-?\d+)\.\.(-?\d+)$")
_DRAWN = re.compile(r"^(log|uniform):(.+?)\.\.(.+)$")
MAX_TRIALS = 10_000


@dataclass(frozen=True)
class Axis:
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


def parse(settings: Sequence[str]) -> tuple[list[Axis], list[str]]:
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


def _axis(key: str, right: str) -> Axis | None:
    whole = _WHOLE.match(right)
    if whole:
        low, high = int(whole[1]), int(whole[2])
        if high < low or high - low >= MAX_TRIALS:
            raise UsageError(f"--set {key}={right}: expected first..last with at most {MAX_TRIALS:,} numbers between")
        return Axis(key, tuple(str(number) for number in range(low, high + 1)))
    drawn = _DRAWN.match(right)
    if drawn:
        try:
            low_f, high_f = float(drawn[2]), float(drawn[3])
        except ValueError:
            raise UsageError(f"--set {key}={right}: expected {drawn[1]}:LOW..HIGH with two numbers") from None
        if not low_f < high_f or (drawn[1] == "log" and low_f <= 0):
            raise UsageError(f"--set {key}={right}: expected LOW < HIGH, and LOW > 0 with log:")
        return Axis(key, (), low_f, high_f, drawn[1] == "log")
    values = tuple(_split(right))
    return Axis(key, values) if len(values) > 1 else None


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


def trials(settings: Sequence[str], count: int | None = None, seed: int = 0) -> list[Trial]:
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
        digest = hashlib.sha256("\0".join(overrides).encode()).hexdigest()[:8]
        made[digest] = Trial(digest, overrides, varied)
    return list(made.values())


@dataclass
class Outcome:
    """What came of a trial: its status and, if it ran, what `bp train --json` prints."""

    trial: Trial
    run_dir: Path
    status: str
    result: dict[str, Any] | None = None
    error: str | None = None


def state(folder: Path, trial: Trial) -> Outcome:
    """A trial as its run directory tells it; `missing` if it was never started."""
    path = folder / trial.id
    try:
        info = json.loads((path / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Outcome(trial, path, "missing")
    result = {"metrics": info.get("metrics"), "best": info.get("best"), "run_dir": str(path)}
    return Outcome(trial, path, str(info.get("status")), result)


def run(
    config: Path,
    chosen: Sequence[Trial],
    folder: Path,
    *,
    jobs: int,
    fail_fast: bool,
    notify: Callable[[Outcome], None],
) -> list[Outcome]:
    """Train the chosen trials, `jobs` at a time, each in a process of its own pool. What fails is told
    to `notify` and does not stop the rest, unless `fail_fast`."""
    from loky import as_completed, get_reusable_executor

    folder.mkdir(parents=True, exist_ok=True)
    executor = get_reusable_executor(max_workers=jobs, timeout=60)
    waiting = {executor.submit(_work, str(config), trial.overrides, str(folder / trial.id)): trial for trial in chosen}
    outcomes = []
    try:
        for future in as_completed(waiting):
            outcome = _outcome(future, waiting[future], folder)
            outcomes.append(outcome)
            notify(outcome)
            if fail_fast and outcome.status != "completed":
                break
    finally:
        executor.shutdown(wait=True, kill_workers=len(outcomes) < len(chosen))
    return outcomes


def _outcome(future: Any, trial: Trial, folder: Path) -> Outcome:
    error = future.exception()
    if error is None:
        result = future.result()
        return Outcome(trial, folder / trial.id, result["status"], result, result.get("error"))
    return Outcome(trial, folder / trial.id, "failed", None, f"{type(error).__name__}: {error}")


def _work(config: str, overrides: tuple[str, ...], run_dir: str) -> dict[str, Any]:
    """In a worker: train one trial, or go on with it where it was interrupted."""
    from backprop_cli import config as configs
    from backprop_cli import session
    from backprop_cli.errors import BpError
    from backprop_cli.runs.directory import RunDirectory

    path = Path(run_dir)
    try:
        if (path / "run.json").exists():
            return session.resume(RunDirectory(path))
        return session.train(configs.load(config, overrides), run_dir=path, command=["bp", "sweep", config, *overrides])
    except BpError as error:
        status = "diverged" if type(error).__name__ == "DivergedError" else "failed"
        return {"status": status, "error": str(error), "run_dir": run_dir, "metrics": {}, "best": None}


def ranked(outcomes: Sequence[Outcome], monitor: str | None, maximize: bool) -> list[tuple[float, Outcome]]:
    """Finished trials with their best value, best first. `monitor` is a column of the metrics; by default
    what the runs themselves watched."""
    found = []
    for outcome in outcomes:
        best = (outcome.result or {}).get("best") or {}
        metrics = (outcome.result or {}).get("metrics") or {}
        value = (
            best.get(monitor, metrics.get(monitor))
            if monitor
            else next((each for key, each in best.items() if "/" in key), None)
        )
        if value is not None:
            found.append((float(value), outcome))
    return sorted(found, key=lambda pair: -pair[0] if maximize else pair[0])
