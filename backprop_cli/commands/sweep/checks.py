"""Checks of a sweep before it starts: that each trial can be built, and that trials already there belong to it."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from backprop_cli.commands.sweep.trials import Trial, digest
from backprop_cli.config import Config, diff, load_config, resolved
from backprop_cli.config.load import MAX_SHOWN
from backprop_cli.config.plugin_files import MAX_BYTES
from backprop_cli.config.spelling import flow
from backprop_cli.data.progress import Show
from backprop_cli.engine.metrics.base import Metric
from backprop_cli.errors import BpError, ConfigError, Problem
from backprop_cli.model import build
from backprop_cli.model.weights.load import settle
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.runs.plain import read_plain

LOOKED_AT = 10  # trials of a sweep that is gone on with
PATIENCE = 20.0  # seconds for building networks before the first trial starts


def others(there: Sequence[RunDirectory], planned: Sequence[Trial], noted: Sequence[Mapping[str, Any]]) -> list[str]:
    """The --set values of one of the runs in a folder that belongs to another sweep: one with other fixed values.
    Empty where there is none. `noted` are the trials that sweep.json lists: they tell what was varied."""
    varied = {row["trial"]: row.get("varied", {}) for row in noted}
    fixed = sorted(planned[0].fixed)
    for run in there:
        of = varied.get(run.path.name)
        if _is_trial(run) and of is not None:
            trial = Trial(run.path.name, tuple(run.info["overrides"]), of)
            if sorted(trial.fixed) != fixed:
                return list(trial.overrides)
    return []


def changed(
    config: Path, there: Sequence[RunDirectory], again: Sequence[Trial] = (), plugins: Sequence[Path] = ()
) -> list[str]:
    """Options with another value now than when the runs in the folder were trained: `key: before, now after`.

    `plugins` are the config's; what the trials themselves name is not run. Those that are trained `again` do not
    count. Of the others a few are looked at, and the one most like the config tells: a single trial may have been
    made longer since.
    """
    gone = {trial.id for trial in again}
    trained = (run for run in there if run.path.name not in gone and _is_trial(run))
    differences = []
    for run in itertools.islice(trained, LOOKED_AT):
        try:
            now = load_config(config, run.info["overrides"], plugins=plugins)
            settle(now)
            before = load_config(run.config, plugins=now.plugins)
            copies = sorted(read_plain(path, MAX_BYTES) for path in run.plugin_copies())
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
        differences.append(differ + ["the files of plugins"] * (copies != wanted))
    return min(differences, key=len, default=[])


def _is_trial(run: RunDirectory) -> bool:
    return run.path.name == digest(run.info.get("overrides", []))


@dataclass
class Checked:
    """What the trials of a sweep have."""

    metrics: list[Metric] = field(default_factory=list)  # that they compute
    columns: set[str] = field(default_factory=lambda: {"epoch", "step", "time", "learning_rate"})  # of their rows
    watched: str = "train/loss"  # what the first chooses its best epoch by
    epochs: int = 1  # of the longest that was looked at


def check_trials(config: Path, chosen: Sequence[Trial], progress: Show | None = None) -> Checked:
    """Load every trial's config and, where networks or data differ, build them: mistakes show before anything runs.

    Raises DataError, and ConfigError with every mistake of every trial, once.
    """
    began, tried, attempts, code = time.monotonic(), set[str](), 0, 2
    checked, wrong = Checked(), dict[Problem, list[Trial]]()
    for trial in chosen:
        try:
            cfg = load_config(config, trial.overrides)
            checked.epochs = max(checked.epochs, cfg.trainer.epochs)
            structure = _structure(cfg)
            if structure in tried or (tried and time.monotonic() - began > PATIENCE):
                continue
            columns, watched = _build(cfg, progress)
            checked.watched = checked.watched if tried else watched
            checked.columns |= columns
            checked.metrics += cfg.trainer.metrics
            tried.add(structure)
        except ConfigError as error:
            code = error.exit_code
            for problem in error.problems:
                wrong.setdefault(problem, []).append(trial)
        attempts += 1
    if wrong:
        refused = ConfigError([_told(problem, among, attempts) for problem, among in wrong.items()][:MAX_SHOWN])
        refused.exit_code = code
        raise refused
    return checked


def _structure(cfg: Config) -> str:
    """All of a config that can make a difference to whether it can be built."""
    settings = resolved(cfg)
    settings["optimizer"] = settings["optimizer"].get("groups")
    settings["trainer"] = {key: value for key, value in settings["trainer"].items() if key != "epochs"}
    return json.dumps({key: value for key, value in settings.items() if key not in ("name", "seed")}, default=str)


def _build(cfg: Config, progress: Show | None) -> tuple[set[str], str]:
    """The names of the numbers that this config will have, and which its best epoch is chosen by. Raises ConfigError,
    DataError."""
    prepared = build.prepare(cfg, progress=progress)
    _, best = build.training(prepared)
    splits = {"train", "validation"} & prepared.dataset.splits.keys()
    names = ("loss", *(metric.key for metric in cfg.trainer.metrics))
    return {f"{split}/{name}" for split in splits for name in names}, best.monitor


def _told(problem: Problem, among: Sequence[Trial], attempts: int) -> Problem:
    """A problem that only some trials have, with the id of one of them unless its own --set is named already."""
    if len(among) == attempts or str(problem.file).startswith("--set "):
        return problem
    return replace(problem, message=f"{problem.message} (with {' '.join(among[0].settings)})")
