"""sweep.json: what a sweep has noted of its trials, for when they are not there or it is gone on with."""

from __future__ import annotations

from pathlib import Path
from typing import Required

from typing_extensions import TypedDict

from backprop_cli.errors import RunError
from backprop_cli.runs.directory import SWEEP
from backprop_cli.runs.plain import failure, read_plain
from backprop_cli.untrusted.documents import Document, lasting

MAX_NOTED = 64 << 20  # bytes of a sweep.json


@lasting
class Noted(TypedDict, total=False):
    """What sweep.json says of a trial."""

    trial: Required[str]
    varied: dict[str, str]
    status: str
    error: str | None


@lasting
class _Sweep(TypedDict, total=False):
    config: str
    trials: list[Noted]


NOTED = Document[_Sweep](_Sweep)


def noted(folder: Path) -> list[Noted]:
    """The trials that sweep.json of a folder lists; none where there is no such file. Raises RunError for another."""
    try:
        return NOTED.parse(read_plain(folder / SWEEP, MAX_NOTED)).get("trials", [])
    except FileNotFoundError:
        return []
    except OSError as error:
        raise failure(f"cannot read {folder / SWEEP}", error) from None
    except ValueError as error:
        raise RunError(f"{folder / SWEEP}: {error}; without that file the sweep knows its trials, too") from None
