"""sweep.json: what a sweep records of its trials, so that it can be continued, and listed without their folders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Required

from typing_extensions import TypedDict

from backprop_cli.errors import RunError
from backprop_cli.runs.directory import SWEEP
from backprop_cli.runs.files import write_json
from backprop_cli.runs.plain import failure, read_plain
from backprop_cli.untrusted.documents import Document, Number, lasting

MAX_NOTED = 64 << 20  # bytes of a sweep.json


@lasting
class Noted(TypedDict, total=False):
    """What sweep.json says of a trial."""

    trial: Required[str]
    varied: dict[str, str]
    status: str
    error: str | None
    test: dict[str, Number | None]  # of a fold: the metrics on its own rows


@lasting
class NotedGoal(TypedDict):
    """A number that a sweep was to make large, if `maximize`, or small."""

    name: str
    maximize: bool


@lasting
class _Sweep(TypedDict, total=False):
    config: str
    rising: list[str]  # metrics of which more is better
    goals: list[NotedGoal]  # what is searched for, by --monitor
    trials: list[Noted]


NOTED = Document[_Sweep](_Sweep)


def noted(folder: Path) -> list[Noted]:
    """The trials that sweep.json of a folder lists; none where there is no such file. Raises RunError for another."""
    return _read(folder).get("trials", [])


def goals(folder: Path) -> list[NotedGoal]:
    """What the sweep was to make small or large; empty where it has not noted that. Raises RunError."""
    return _read(folder).get("goals", [])


def rising(folder: Path) -> list[str] | None:
    """The metrics of the trials of which more is better; None where the sweep has not noted them. Raises RunError."""
    return _read(folder).get("rising")


def note(folder: Path, rows: Sequence[dict[str, Any]], rising: Iterable[str] = (), **about: Any) -> None:
    """Write what is now known of these trials into sweep.json, beside what it says of them and of others already.

    Raises RunError.
    """
    before = _read(folder)
    if rising:
        about["rising"] = sorted({*rising, *before.get("rising", [])})
    known = {row["trial"]: dict(row) for row in before.get("trials", [])}
    for row in rows:
        known[row["trial"]] = {**known.get(row["trial"], {}), **row}
    write_json(folder / SWEEP, {**before, **about, "trials": list(known.values())})


def _read(folder: Path) -> _Sweep:
    try:
        return NOTED.parse(read_plain(folder / SWEEP, MAX_NOTED))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise failure(f"cannot read {folder / SWEEP}", error) from None
    except ValueError as error:
        raise RunError(f"{folder / SWEEP}: {error}; remove the file: the sweep finds its trials without it") from None
