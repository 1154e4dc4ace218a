"""Finds runs: by path, by id, as `latest`, or all that lie in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from backprop_cli.errors import BpError, UsageError, did_you_mean, suggest
from backprop_cli.runs.directory import RUN_JSON, SWEEP, RunDirectory


def list_runs(runs: Path) -> Iterator[RunDirectory]:
    """The runs in a folder, oldest first; what is not a run is passed over."""
    known = []
    if runs.is_dir():
        for path in runs.iterdir():
            if not path.name.startswith("."):
                try:
                    known.append(RunDirectory(path))
                except BpError:
                    continue
    return iter(sorted(known, key=lambda run: (run.started, run.id)))


def find_runs(name: str, runs: Path) -> list[RunDirectory]:
    """The runs of a sweep's folder, oldest first; else the one run that `find_run` finds. Raises UsageError."""
    folder = sweep_folder(name, runs)
    return (list(list_runs(folder)) if folder is not None else []) or [find_run(name, runs)]


def sweep_folder(name: str, runs: Path) -> Path | None:
    """The folder of a sweep, by path or by name under `runs`; None where there is none."""
    return next((folder for folder in (Path(name), runs / name) if os.path.lexists(folder / SWEEP)), None)


def find_sweep(name: str, runs: Path) -> Path:
    """The folder that `sweep_folder` finds. Raises UsageError with the nearest name."""
    folder = sweep_folder(name, runs)
    if folder is None:
        known = sorted(path.parent.name for path in runs.glob(f"*/{SWEEP}"))
        if os.path.lexists(Path(name) / RUN_JSON) or os.path.lexists(runs / name / RUN_JSON):
            raise UsageError(f"{name} is a single run; expected the folder of a sweep, as `bp sweep` makes it")
        hint = did_you_mean(suggest(name, known))
        raise UsageError(f"no sweep {name!r:.300} in {runs} (it holds {len(known)}){hint}; `bp sweep` makes one")
    return folder


def find_run(name: str, runs: Path) -> RunDirectory:
    """A run by path, by id under `runs` or in a sweep there, or `latest`. Raises UsageError with the nearest id, and
    DamagedError."""
    return RunDirectory(find_path(name, runs))


def find_path(name: str, runs: Path) -> Path:
    """The directory of the run that `find_run` finds, which may be damaged. Raises UsageError."""
    for candidate in (Path(name), runs / name, *(sweep.parent / name for sweep in sorted(runs.glob(f"*/{SWEEP}")))):
        if os.path.lexists(candidate / RUN_JSON):
            return candidate
        if os.path.lexists(candidate / SWEEP):
            raise UsageError(f"{candidate} is a sweep; expected one of its runs, see `bp runs ls --runs {candidate}`")
    known = list(list_runs(runs))
    if name == "latest" and known:
        return known[-1].path
    if os.path.isdir(name):  # False where a name is too long for a file
        raise UsageError(
            f"{name}: a folder, but no run: it has no {RUN_JSON}; expected a run's directory or id, or latest"
        )
    nearest = suggest(name, [run.id for run in known])
    hint = did_you_mean(nearest)
    raise UsageError(f"no run {name!r:.300} in {runs} (it holds {len(known)} runs){hint}; `bp runs ls` lists them")
