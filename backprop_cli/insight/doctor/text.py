"""An examination in words."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from backprop_cli.insight.doctor.examine import Examination
from backprop_cli.insight.doctor.verdicts import Verdict

COLUMNS = {
    "layer": "name",
    "type": "type",
    "‖gradient‖": "gradient_norm",
    "gradient/weight": "gradient_ratio",
    "update/weight": "update_ratio",
    "dead": "dead",
    "saturated": "saturated",
    "mean": "mean",
    "std": "std",
}
SHARES = ("dead", "saturated")


def rows(examination: Examination) -> list[list[str]]:
    """The table of layers, without those that only give data another shape."""
    shown = [layer for layer in examination.layers if any(layer[key] is not None for key in list(COLUMNS.values())[2:])]
    return [[_cell(key, layer[key]) for key in COLUMNS.values()] for layer in shown]


def _cell(key: str, value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if not math.isfinite(value):
        return "not finite"
    return f"{value:.0%}" if key in SHARES else f"{value:.2g}"


def lines(examination: Examination, source: str, given: Sequence[str] = ()) -> Iterator[str]:
    """Verdicts with their edits for the config `source`, which `given` overrides go with."""
    for number, verdict in enumerate(examination.verdicts, 1):
        yield ""
        yield f"{number}. {verdict.sentence}." if len(examination.verdicts) > 1 else f"{verdict.sentence}."
        yield from _edit(verdict, source, given)
    if examination.healthy:
        yield ""
        yield "healthy: nothing inside points to a disease."


def _edit(verdict: Verdict, source: str, given: Sequence[str]) -> Iterator[str]:
    if verdict.edit is None:
        where = (
            "at how rows of x and y were put together"
            if verdict.disease == "labels_shuffled"
            else "at the layer behind"
        )
        yield f"   No edit is known that mends it: look {where}."
        return
    yield f"   Paste into {shlex.quote(source)}:"
    yield from (f"     {line}" for line in verdict.yaml.splitlines())
    yield "   or train with it:"
    flags = [f"--set {shlex.quote(setting)}" for setting in given]
    yield f"     {' '.join(['bp train', shlex.quote(source), *flags, verdict.edit.flags])}"
    tried = verdict.tried
    if tried is not None:
        before = "not finite" if tried.before is None else f"{tried.before:.3g}"
        yield f"   Tried for {tried.steps} steps: loss {tried.after:.3g} instead of {before}."
