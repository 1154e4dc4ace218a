"""Which options apply to which parameters: parts of the flat vector that share a learning rate and a decay."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import groupby
from typing import Annotated

from backprop_cli.engine.layer import NonNegative
from backprop_cli.engine.parameters import Parameter, ParameterStore
from backprop_cli.errors import BuildError
from backprop_cli.registry import Doc

BLOCK = 65_536  # numbers; a block of w, g and two slots stays in the cache while a rule works on it
LONG_BLOCK = 262_144  # for a rule that is one compiled loop and reads memory once however long the block


@dataclass(kw_only=True)
class Group:
    """Options for the parameters whose names match a pattern (`*.b`, `dense_1.*`, `*.[bg]*`).

    What is left out is the optimizer's own. `learning_rate` replaces the optimizer's and follows the same
    schedule, as PyTorch's parameter groups do; `weight_decay` holds for everything that matches, biases too.
    """

    match: Annotated[str, Doc("pattern of parameter names: `*.b`, `dense_1.*`")]
    learning_rate: Annotated[NonNegative | None, Doc("in place of the optimizer's, under the same schedule")] = None
    weight_decay: Annotated[
        NonNegative | None, Doc("in place of the optimizer's, for everything that matches, biases too")
    ] = None


@dataclass
class Segment:
    """A stretch of the flat vector with one learning rate and one decay."""

    start: int
    stop: int
    learning_rate: float
    weight_decay: float
    table: str = ""  # a parameter of which only rows that a batch has looked up are updated


def segments(
    store: ParameterStore,
    groups: Sequence[Group],
    learning_rate: float,
    weight_decay: float,
    least_table: int | None = None,
) -> list[Segment]:
    """The trained part of the vector in as few stretches as the options allow; gaps between parameters
    belong to the one before. Of tables of at least `least_table` numbers that do not decay only rows are updated.
    Raises BuildError for a group that matches nothing."""
    trained = [entry for entry in store.entries.values() if not entry.frozen]
    for index, group in enumerate(groups):
        if not any(fnmatchcase(entry.name, group.match) for entry in trained):
            raise BuildError(
                f"group {index}: {group.match!r} matches no trained parameter; expected a pattern such as "
                f"'*.b' for one or more of {', '.join(entry.name for entry in trained)}",
                "groups",
            )
    parts: list[Segment] = []
    for entry in trained:
        start = store.spans[entry.name].start
        rate, decay = _options(entry, groups, learning_rate, weight_decay)
        rows = least_table is not None and math.prod(entry.shape) >= least_table and not decay
        table = entry.name if rows and entry.name in store.tables else ""
        if parts:
            parts[-1].stop = start
        if not parts or (parts[-1].learning_rate, parts[-1].weight_decay, parts[-1].table) != (rate, decay, table):
            parts.append(Segment(start, store.trainable, rate, decay, table))
    if parts:
        parts[-1].stop = store.trainable
    return parts


def blocks(parts: Sequence[Segment], size: int) -> Iterator[tuple[slice, float, list[tuple[slice, float]]]]:
    """(span, learning rate, [(slice within it, decay)]) of every block of up to `size` numbers; a new one begins
    with a new learning rate. Tables are left out."""
    for (rate, table), run in groupby(parts, key=lambda part: (part.learning_rate, part.table)):
        own = list(run)
        if table:
            continue
        for start in range(own[0].start, own[-1].stop, size):
            stop = min(start + size, own[-1].stop)
            decays = [
                (slice(max(part.start - start, 0), min(part.stop, stop) - start), part.weight_decay)
                for part in own
                if part.weight_decay and part.start < stop and part.stop > start
            ]
            yield slice(start, stop), rate, decays


def _options(entry: Parameter, groups: Sequence[Group], rate: float, decay: float) -> tuple[float, float]:
    """The learning rate and decay of one parameter: of the first group that matches, else the optimizer's."""
    decay = decay if entry.decay else 0.0
    group = next((group for group in groups if fnmatchcase(entry.name, group.match)), None)
    if group is None:
        return rate, decay
    return (
        rate if group.learning_rate is None else group.learning_rate,
        decay if group.weight_decay is None else group.weight_decay,
    )
