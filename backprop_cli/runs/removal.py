"""Taking runs away: never one that is in use, never anything outside the folder of runs."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from backprop_cli.errors import RunError, UsageError
from backprop_cli.runs.directory import STAGING, SWEEP, RunDirectory
from backprop_cli.runs.finding import list_runs
from backprop_cli.runs.lock import Lock, is_held
from backprop_cli.runs.plain import failure
from backprop_cli.untrusted.regular import real

TRASH = ".removed-"
ABANDONED = 3600.0  # seconds after which half made directories that nobody holds are left over from a crash


def remove(run: RunDirectory | Path, runs: Path) -> None:
    """Delete one run of the folder `runs`, or one trial of a sweep there; by its path where its run.json is damaged.
    Symbolic links are neither followed nor taken for runs.

    Raises UsageError if it is not a directory of that folder, RunError if it is in use or cannot be deleted.
    """
    path = run if isinstance(run, Path) else run.path
    sweep = path.absolute().parent
    of_sweep = os.path.lexists(sweep / SWEEP) and not sweep.is_symlink() and real(sweep.parent) == real(runs)
    _remove(path, [path], sweep if of_sweep else runs)


def remove_sweep(folder: Path, runs: Path) -> None:
    """Delete the folder of a sweep in `runs`, with all its trials. Raises as `remove`; if one trial is in use, all
    stay."""
    _remove(folder, [run.path for run in list_runs(folder) if not run.path.is_symlink()], runs)


def _remove(folder: Path, held: Sequence[Path], runs: Path) -> None:
    """Delete a folder while no other process works on the runs that are to be held."""
    path = Path(os.path.abspath(folder))
    if path.is_symlink() or not path.is_dir() or real(path.parent) != real(runs):
        raise UsageError(f"{folder} is not a directory in {runs}; only those are removed, links are not followed")
    trash = runs / f"{TRASH}{secrets.token_hex(8)}"
    with ExitStack() as locks:
        for locked in held:
            locks.callback(Lock(locked).release)
        try:
            os.rename(path, trash)  # gone at once, also if deleting is broken off
        except OSError as error:
            raise failure(f"cannot remove {path}", error) from None
    _delete(trash)


def chosen(runs: Path, *, keep: int | None, status: Sequence[str]) -> list[RunDirectory]:
    """The runs that `bp runs prune` removes: of these statuses, without the newest `keep`. Running ones never."""
    if keep is None and not status:
        raise UsageError("nothing says what to remove; expected --keep N, --status STATUS, or both")
    ended = [run for run in list_runs(runs) if run.status != "running" and not run.path.is_symlink()]
    ended = [run for run in ended if not status or run.status in status]
    return ended[: max(0, len(ended) - keep)] if keep else ended


def sweep(runs: Path) -> None:
    """Delete what crashed processes left in the folder half made or half removed."""
    for path in _left_over(runs):
        _delete(path)


def _left_over(runs: Path) -> Iterable[Path]:
    for path in [*runs.glob(f"{TRASH}*"), *runs.glob(f"{STAGING}*")]:
        if path.is_symlink() or not path.is_dir() or is_held(path):
            continue
        if path.name.startswith(TRASH) or time.time() - path.stat().st_mtime > ABANDONED:
            yield path


def _delete(path: Path) -> None:
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        pass  # somebody else was quicker
    except OSError as error:
        raise RunError(f"cannot delete all of {path}: {error.strerror}; the rest can go with `rm -r`") from None
