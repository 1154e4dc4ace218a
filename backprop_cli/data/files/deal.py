"""Which row of one file goes into which split: by shares, a column, groups, time or folds.

`deal` gives an order of the rows in which each split is one run of rows, and those runs. What must not be parted (a
group, one moment) is not: a cut goes to the nearest place between two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from backprop_cli.data import shares, splits
from backprop_cli.data.arrays import Array
from backprop_cli.data.files.keys import Keys
from backprop_cli.data.files.order import dealt
from backprop_cli.errors import OptionError
from backprop_cli.seeds import generator

_OF_WINDOWS = ("horizon", "by", "gaps")  # options that say more of windows
_NOT_OF_WINDOWS = ("text", "stratify", "sample_weight")  # options that windows leave without a meaning
BINS = 10  # of equally many values, that `stratify` keeps at their share in every split


class Dealing(Protocol):
    """The options of a source that say how rows are dealt; see `Files`."""

    splits: Any
    group: str | None
    time: str | None
    window: int | None
    split_column: str | None
    stratify: bool | None
    folds: int | None
    fold: int | None


@dataclass(frozen=True)
class Deal:
    """The row numbers (N,) in the order in which splits are cut from them, and the splits as slices of that order."""

    order: Array
    slices: Mapping[str, Any] | None

    def rows(self, split: str, base: str = "train") -> Array:
        """The row numbers (n,) of a split; of the first one if there is none of that name. Raises OptionError."""
        parts = self.splits(base)
        return parts[split] if split in parts else next(iter(parts.values()))

    def splits(self, base: str = "train") -> dict[str, Array]:
        """The row numbers (n,) of every split. Raises OptionError."""
        sizes = {base: len(self.order)}
        resolved = splits.resolve(self.slices or splits.default(sizes), sizes)
        return {
            name: np.concatenate([self.order[part.start : part.stop] for part in parts])
            for name, parts in resolved.items()
        }


def problems(options: Dealing) -> Iterator[str]:
    """What is wrong with the options that say how rows are dealt, whatever the data."""
    dealing = ["group", "split_column"]
    dealing += ["time"] if options.window is None else []  # else it is the order within windows
    columns = {name: getattr(options, name) for name in dealing if getattr(options, name)}
    if len(columns) > 1:
        yield f"dataset.{' and dataset.'.join(columns)} each deal the rows out; keep one"
    if options.fold is not None and options.folds is None:
        yield "dataset.fold means nothing without dataset.folds; set folds: 5, say"
    if options.folds is not None and options.fold is None:
        yield (
            f"dataset.folds: {options.folds} needs dataset.fold, from 1 to {options.folds}; `bp sweep CONFIG --folds "
            f"{options.folds}` trains each"
        )
    if options.folds is not None and options.fold is not None and options.fold > options.folds:
        yield f"dataset.fold is {options.fold}; expected 1 to {options.folds}, as many as there are folds"
    if options.stratify and columns:
        yield f"dataset.stratify means nothing beside dataset.{next(iter(columns))}, which deals rows out; remove it"
    if options.split_column and (options.splits or options.folds):
        other = "splits" if options.splits else "folds"
        yield f"dataset.{other} means nothing beside dataset.split_column, which deals the rows out; remove one"
    if any(shares.is_file(value) for value in (options.splits or {}).values()):
        named = [*columns, *(["folds"] if options.folds else []), *(["stratify"] if options.stratify else [])]
        named = [name for name in named if name != "group"]
        if named:
            yield f"dataset.{named[0]} deals out the rows of one file, and splits names a file each; remove one"


def of_windows(options: Any) -> Iterator[str]:
    """What is wrong with the options of windows over a table in time order, whatever the data."""
    usual = type(options)()
    if options.window is None:
        for name in _OF_WINDOWS:
            if getattr(options, name) != getattr(usual, name):
                yield f"dataset.{name} says more of dataset.window, which is missing; set window: 24, say"
        return
    for name in _NOT_OF_WINDOWS:
        if getattr(options, name) != getattr(usual, name):
            yield f"dataset.{name} means nothing beside dataset.window; remove it"
    if options.by and not options.time:
        yield "dataset.by parts the rows into series, and each needs an order: set dataset.time to a column of moments"


def deal(
    rows: int,
    options: Dealing,
    slices: Mapping[str, Any] | None,
    seed: int,
    *,
    labels: Array | None = None,
    values: Array | None = None,
    keys: Keys | None = None,
    base: str = "train",
) -> Deal:
    """Deal the rows of one file out. `labels` (N,) of classes are kept at their share in every split, unless
    `stratify` is false; so are tenths of `values` (N, K) where it is true. `base` is what all rows are called in slices
    such as train[:80%]. Raises DataError."""
    keys = keys or Keys()
    if keys.names is not None:
        return _by_names(keys.names, base)
    key = None
    if keys.times is not None:
        order = np.argsort(keys.times, kind="stable")
        key = keys.times[order]
    elif keys.groups is not None:
        rank = generator(seed, "groups").permutation(int(keys.groups.max()) + 1)[keys.groups]
        order = np.argsort(rank, kind="stable")
        key = rank[order]
    else:
        if labels is None and values is not None and options.stratify:
            labels = _bins(values)
        order = dealt(rows, None if options.stratify is False else labels, seed)
    what = f"dataset.{'time' if keys.times is not None else 'group'}"
    if options.folds is not None and options.fold is not None:
        return _fold(order, key, options, what, base)
    if key is None:
        return Deal(order, slices)
    resolved = splits.resolve(slices or splits.default({base: rows}), {base: rows})
    snap = _Cuts(key)
    cuts = {
        name: " + ".join(f"{base}[{snap(part.start)}:{snap(part.stop)}]" for part in parts)
        for name, parts in resolved.items()
    }
    for name, parts in resolved.items():
        if all(snap(part.start) == snap(part.stop) for part in parts):
            raise OptionError(
                f"split {name} is left without rows: {what} has {snap.count} different values, and rows of one stay "
                "together; give it a larger share, or fewer splits"
            )
    return Deal(order, cuts)


class _Cuts:
    """Where rows in this order may be cut: between two different keys."""

    def __init__(self, key: Array | None, rows: int = 0) -> None:
        self._rows = rows if key is None else len(key)
        changes = None if key is None else np.flatnonzero(key[1:] != key[:-1]) + 1
        self._places = None if changes is None else np.concatenate([[0], changes, [self._rows]])

    @property
    def count(self) -> int:
        return self._rows if self._places is None else len(self._places) - 1

    def __call__(self, row: float) -> int:
        if self._places is None:
            return round(row)
        return int(self._places[np.abs(self._places - row).argmin()])


def _fold(order: Array, key: Array | None, options: Dealing, what: str, base: str) -> Deal:
    """One fold as test, the rest as train and validation. In time order each fold is tested on what comes after the
    rows it learns from: the k-th of K + 1 blocks after the first."""
    assert options.folds is not None and options.fold is not None
    rows, count, fold = len(order), options.folds, options.fold
    cuts = _Cuts(key, rows)
    later = what == "dataset.time" and key is not None
    blocks = count + 1 if later else count
    if cuts.count < blocks:
        kind = f"different values in {what}" if key is not None else "rows"
        raise OptionError(f"dataset.folds is {count}, and there are {cuts.count} {kind}; expected at most that many")
    first = fold if later else fold - 1
    start, stop = cuts(first * rows / blocks), cuts((first + 1) * rows / blocks)
    beside = np.arange(start) if later else np.r_[0:start, stop:rows]
    parts = _parts(options.splits)
    inner = _Cuts(None if key is None else key[beside], len(beside))
    slices, at = {}, 0
    edges = np.cumsum(list(parts.values())) / sum(parts.values()) * len(beside)
    for name, edge in zip(parts, edges, strict=True):
        end = inner(edge)
        slices[name], at = f"{base}[{at}:{end}]", end
        if slices[name] == f"{base}[{at}:{at}]" or end == 0:
            raise OptionError(f"split {name} of fold {fold} is left without rows; set fewer folds or a larger share")
    slices["test"] = f"{base}[{len(beside)}:{len(beside) + stop - start}]"
    return Deal(np.concatenate([order[beside], order[start:stop]]), slices)


def _parts(written: Mapping[str, Any] | None) -> dict[str, float]:
    """The shares of what is not the fold: those under `splits` but test's, else 70 % and 15 %."""
    percents = shares.percentages(written or {"train": "70%", "validation": "15%"})
    odd = next((name for name in written or () if name not in percents), None)
    if odd is not None:
        raise OptionError(
            f"dataset.splits {odd}: {(written or {})[odd]} is a slice, and folds cut the rows; expected shares "
            "such as {train: 80%, validation: 20%}, of what is not the fold; test is the fold"
        )
    percents = {name: share for name, share in percents.items() if name != "test" and share > 0}
    return percents if "train" in percents else {"train": 100.0}


def _by_names(names: Array, base: str) -> Deal:
    """Rows by the name of their split."""
    known, ids = np.unique(names, return_inverse=True)
    ids = ids.reshape(-1)
    by_split = shares.named({str(name): str(name) for name in known})
    if "train" not in by_split:
        raise OptionError(f"dataset.split_column names {', '.join(map(str, known[:10]))}; expected train among them")
    ends = np.cumsum(np.bincount(ids))
    places = {str(name): (end - count, end) for name, end, count in zip(known, ends, np.bincount(ids), strict=True)}
    slices = {name: f"{base}[{places[given][0]}:{places[given][1]}]" for name, given in by_split.items()}
    return Deal(np.argsort(ids, kind="stable"), slices)


def _bins(values: Array) -> Array:
    """The tenth that each row's value belongs to (of the first principal direction, where rows have several)."""
    rows = values.reshape(len(values), -1)
    if rows.shape[1] > 1:
        spread = rows.std(axis=0)
        rows = (rows - rows.mean(axis=0)) / np.where(spread > 0, spread, 1)
        rows = rows @ np.linalg.svd(rows[:10_000], full_matrices=False)[2][:1].T
    edges = np.quantile(rows[:, 0], np.linspace(0, 1, BINS + 1)[1:-1])
    return np.searchsorted(edges, rows[:, 0], side="right")
