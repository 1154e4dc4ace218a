"""What to call runs that are shown together: by where their configs differ, if that is short."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from backprop_cli.commands import compare
from backprop_cli.config import recorded
from backprop_cli.errors import BpError
from backprop_cli.runs.directory import RunDirectory

LONGEST = 60


def labels(runs: Sequence[RunDirectory], besides: Sequence[str] = ()) -> list[str]:
    """A label a run, all different where anything about the runs is: their names, `learning_rate=0.1`, else ids.

    Keys of the config in `besides` say nothing, such as the seed: runs that differ in these alone share a label.
    """
    ids = [run.id for run in runs]
    if len(runs) < 2:
        return ids
    names = [run.info.get("name") or run.id for run in runs]
    if besides:
        differing = _by_config(runs, besides)
        own = names if len(set(names)) > 1 else ["" for _ in names]
        return [" ".join(filter(None, pair)) or names[0] for pair in zip(own, differing or own, strict=True)]
    for possible in (names, _by_config(runs)):
        if len(set(possible)) == len(runs) and max(map(len, possible)) <= LONGEST:
            return possible
    return ids


def by_seed(runs: Sequence[RunDirectory]) -> dict[str, list[int]]:
    """Label -> places of the runs that differ in nothing but the seed."""
    members: dict[str, list[int]] = {}
    for index, label in enumerate(labels(runs, besides=("seed",))):
        members.setdefault(label, []).append(index)
    return members


def _by_config(runs: Sequence[RunDirectory], besides: Sequence[str] = ()) -> list[str]:
    try:
        differing: dict[str, list[Any]] = compare.compare(runs)["config"]
    except BpError:  # a config that no longer loads, of an older version perhaps
        return []
    parts = [[layer] if layer else [] for layer in _layers(runs, differing)]
    types = [path.removesuffix(".type") for path in differing if path.endswith(".type")]
    restructured = any(path.startswith("architecture.") for path in types)
    for path, values in differing.items():
        if path in besides:
            continue
        of_one_type = any(path.startswith(f"{kind}.") and path != f"{kind}.type" for kind in types)
        if (restructured and path.startswith("architecture.")) or (of_one_type and None in values):
            continue
        key = path.removesuffix(".type").split(".")[-1]
        for part, value in zip(parts, values, strict=True):
            part.append(f"{key}={'none' if value is None else value}")
    return [", ".join(part) for part in parts]


def _layers(runs: Sequence[RunDirectory], differing: dict[str, list[Any]]) -> list[str]:
    """`with 2 batch_norm`, `without batch_norm`: which types of layer a run has more of than another."""
    if not any(path.startswith("architecture.") and path.endswith(".type") for path in differing):
        return ["" for _ in runs]
    counts = [_types(recorded(run.config).get("architecture")) for run in runs]
    common, union = counts[0], counts[0]
    for row in counts[1:]:
        common, union = common & row, union | row
    extra = union - common
    if not extra:
        return ["" for _ in runs]
    described = []
    for own in counts:
        more = own - common
        named = ", ".join(f"{count} {kind}" if count > 1 else kind for kind, count in sorted(more.items()))
        described.append(f"with {named}" if more else "without " + ", ".join(sorted(extra)))
    return described


def _types(value: Any) -> Counter[str]:
    """How often each `type` is named in a nested value."""
    counts: Counter[str] = Counter()
    if isinstance(value, dict):
        if isinstance(value.get("type"), str):
            counts[value["type"]] += 1
        for key, child in value.items():
            if not key.endswith("initializer"):
                counts += _types(child)
    elif isinstance(value, list):
        for child in value:
            counts += _types(child)
    return counts
