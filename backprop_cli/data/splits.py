"""Split expressions, as tensorflow-datasets writes them, for every data source.

    train    train[:80%]    train[80%:]+test    train[:1000]    train[-500:]    all

A bound with `%` is a percentage of the base split, rounded to the nearest row (halves to even);
a negative bound counts from the end; a unit on either bound holds for both. The rows are those
of `tfds.core.ReadInstruction`, but a split that comes out empty is an error here.
https://www.tensorflow.org/datasets/splits
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.dataset import Split
from backprop_cli.data.shares import USUAL, sliced, usual
from backprop_cli.errors import DataError, OptionError, expected

_PART = re.compile(r"(?P<base>[\w-]+)(\[(?P<slice>[^\[\]]*)\])?")
_BOUND = re.compile(r"((?P<value>-?[\d_.]+)(?P<unit>%|shard)?)?")
_SYNTAX = "expected such as train, train[:80%], train[80%:]+test, train[:1000] or train[-500:]"


class Part(NamedTuple):
    """The rows start ≤ i < stop of a base split."""

    base: str
    start: int
    stop: int

    def __str__(self) -> str:
        return f"{self.base}[{self.start}:{self.stop}]"


def parse(expression: str, sizes: Mapping[str, int], shards: Mapping[str, Sequence[int]] | None = None) -> list[Part]:
    """The parts that an expression names, given the rows of each base split (and of its shards).

    Raises DataError, naming the expression: wrong syntax, an unknown base split, a bound outside it.
    """
    parts: list[Part] = []
    for term in re.split(r"\s*\+\s*", expression.strip()):
        match = _PART.fullmatch(term)
        if match is None:
            raise OptionError(f"split {expression!r}: cannot read {term!r}; {_SYNTAX}")
        base, bounds = match["base"], match["slice"]
        if base not in sizes and usual(base) in sizes:
            base = str(usual(base))
        if base == "all" and "all" not in sizes:
            if bounds is not None:
                raise OptionError(f"split {expression!r}: 'all' takes no slice; slice each split and add them")
            parts += [Part(name, 0, size) for name, size in sizes.items()]
        elif base not in sizes:
            raise OptionError(f"split {expression!r}: there is no split {base!r}; {expected(base, sizes)}")
        else:
            start, stop = _bounds(expression, bounds, sizes[base], (shards or {}).get(base))
            parts.append(Part(base, start, stop))
    return parts


def _bounds(expression: str, text: str | None, size: int, shards: Sequence[int] | None) -> tuple[int, int]:
    if text is None:
        return 0, size
    matches = [_BOUND.fullmatch(bound) for bound in text.split(":")]
    low = matches[0]
    high = matches[-1]
    if low is None or high is None or len(matches) > 2 or not (low["value"] or high["value"]):
        raise OptionError(f"split {expression!r}: cannot read the slice [{text}]; {_SYNTAX}")
    unit = low["unit"] or high["unit"]
    if len(matches) == 1 and unit != "shard":
        raise OptionError(f"split {expression!r}: [{text}] is one row; write a slice such as [{text}:] or [:{text}]")
    try:
        ends = [None if bound["value"] is None else _number(bound["value"], unit) for bound in (low, high)]
    except ValueError:
        raise OptionError(f"split {expression!r}: cannot read the numbers of [{text}]; {_SYNTAX}") from None
    if len(matches) == 1 and ends[0] is not None:
        ends[1] = ends[0] + 1
    if unit == "shard" and ends[1] is not None and ends[1] <= 0:
        ends[1] += len(shards or ())  # so that [-1shard] ends where the shards end, as in TFDS
    start, stop = (_to_rows(expression, end, unit, size, shards) for end in ends)
    start = 0 if start is None else start
    stop = size if stop is None else stop
    if abs(start) > size or abs(stop) > size:
        raise OptionError(f"split {expression!r}: [{text}] reaches beyond the {size} rows there are")
    return start + size * (start < 0), stop + size * (stop < 0)


def _number(text: str, unit: str | None) -> float:
    return float(text) if unit == "%" else int(text)


def _to_rows(
    expression: str, bound: float | None, unit: str | None, size: int, shards: Sequence[int] | None
) -> int | None:
    if bound is None:
        return None
    if unit == "%":
        if abs(bound) > 100:
            raise OptionError(f"split {expression!r}: {bound:g}% is outside -100% … 100%")
        return round(bound * size / 100.0)
    if unit == "shard":
        if shards is None:
            raise OptionError(f"split {expression!r}: only datasets of source tfds have shards; use rows or %")
        return sum(shards[: int(bound)])
    return int(bound)


def resolve(
    splits: Mapping[str, Any], sizes: Mapping[str, int], shards: Mapping[str, Sequence[int]] | None = None
) -> dict[str, list[Part]]:
    """`parse` for every split of a config, its shares as slices, and the checks across them.

    Raises DataError if a split is empty, or if two splits share rows: what is measured on rows
    that were trained on says nothing.
    """
    splits = sliced(splits, sizes)
    resolved = {name: parse(text, sizes, shards) for name, text in splits.items()}
    for name, parts in resolved.items():
        if not any(part.stop > part.start for part in parts):
            raise OptionError(
                f"split {name}: {splits[name]!r} is empty; the rows there are: "
                + ", ".join(f"{base} {size}" for base, size in sizes.items())
            )
    for (first, parts), (second, others) in combinations(resolved.items(), 2):
        for a in parts:
            for b in others:
                start, stop = max(a.start, b.start), min(a.stop, b.stop)
                if a.base == b.base and start < stop:
                    raise OptionError(
                        f"splits {first} ({splits[first]!r}) and {second} ({splits[second]!r}) share "
                        f"{stop - start} rows of {a.base!r}, from row {start}; expected splits without a "
                        "common row; change one of the slices"
                    )
    return resolved


def default(sizes: Mapping[str, int]) -> dict[str, str]:
    """The splits of a dataset whose config names none: its own train, validation and test; from
    a lone base split, 70 % to train, 15 % to validate and 15 % to test."""
    if len(sizes) == 1:
        (base,) = sizes
        return {"train": f"{base}[:70%]", "validation": f"{base}[70%:85%]", "test": f"{base}[85%:]"}
    usual = {name: name for name in USUAL if name in sizes}
    return usual or {name: name for name in sizes}


def take(arrays: Mapping[str, Array], parts: Sequence[Part]) -> Array:
    """The rows (n, …) of the parts, in order, of arrays (N, …): a view of one run of rows, a copy of several."""
    runs: list[Part] = []
    for part in parts:
        if runs and (runs[-1].base, runs[-1].stop) == (part.base, part.start):
            runs[-1] = Part(part.base, runs[-1].start, part.stop)
        elif part.stop > part.start:
            runs.append(part)
    rows = [arrays[base][start:stop] for base, start, stop in runs]
    return rows[0] if len(rows) == 1 else np.concatenate(rows)


def cut(
    x: Mapping[str, Array],
    y: Mapping[str, Array],
    splits: Mapping[str, Any] | None,
    shards: Mapping[str, Sequence[int]] | None = None,
    weights: Mapping[str, Array] | None = None,
    rows: Mapping[str, Array] | None = None,
) -> dict[str, Split]:
    """The splits of a config (or the default ones) from arrays (N, …) of the base splits. Raises DataError."""
    sizes = {base: len(rows) for base, rows in x.items()}
    resolved = resolve(splits or default(sizes), sizes, shards)
    return {
        name: Split(
            take(x, parts),
            take(y, parts),
            relative(take(weights, parts), name) if weights else None,
            take(rows, parts) if rows else None,
        )
        for name, parts in resolved.items()
    }


def relative(weights: Array, split: str) -> Array:
    """Weights (n,) with a mean of 1, so that the loss of a split is its weighted mean. Raises DataError."""
    mean = weights.mean()
    if not mean:
        raise DataError(f"split {split}: every row has the sample_weight 0; expected some that count")
    return np.asarray(weights / mean)
