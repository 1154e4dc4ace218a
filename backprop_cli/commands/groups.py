"""Groups of rows by the values of a column, as the network's inputs hold them."""

from __future__ import annotations

import numpy as np

from backprop_cli.data.dataset import Split
from backprop_cli.data.schema import Schema
from backprop_cli.engine.arrays import Array
from backprop_cli.errors import UsageError, did_you_mean, suggest

DISTINCT = 10  # numbers that are groups of their own; more are cut at their quartiles


def values_of(split: Split, schema: Schema, column: str) -> list[str]:
    """The group of each row: the category, the number, or the quarter in which a number lies; of a window what its
    last row has.

    Raises UsageError for an unknown column.
    """
    if schema.series is not None and column == schema.series.by and split.series is not None:
        return [str(name) for name in split.series]
    x = split.x[:, -1] if schema.series is not None else split.x
    table = schema.table
    heads = table.names() if table is not None else list(schema.features or [])
    categories = table.categories if table is not None else {}
    plan = table.plans.get(column) if table is not None else None
    if table is not None and plan is not None and plan.categories and plan.encoding != "target":
        places = table.groups()[column][: len(plan.categories) + plan.other]
        known = [*plan.categories, "other"]
        if plan.type == "category" and plan.encoding == "one_hot":
            hot = x[:, places]
            return [known[k] if hot[i, k] else "other" for i, k in enumerate(hot.argmax(axis=1))]
        return [known[int(code)] if 0 <= code < len(known) else "other" for code in x[:, places[0]]]
    if column in categories and column in heads:  # as codes
        known = categories[column]
        return [known[int(code)] if 0 <= code < len(known) else "other" for code in x[:, heads.index(column)]]
    if column in categories:
        places = [heads.index(f"{column}={category}") for category in categories[column]]
        hot = x[:, places]
        return [categories[column][k] if hot[i, k] else "other" for i, k in enumerate(hot.argmax(axis=1))]
    if column in heads:
        return _numbers(schema.in_unit(column, np.asarray(x[:, heads.index(column)], np.float64)))
    names = list(dict.fromkeys([*(table.features if table is not None else []), *(schema.features or [])]))
    if plan is not None and plan.means:
        raise UsageError(
            f"--by {column}: with encoding: target the inputs hold means of the target, not its categories"
        )
    if not names:
        raise UsageError(f"--by {column}: the inputs have no columns with names")
    raise UsageError(
        f"--by {column}: no such column; the inputs have {', '.join(names[:20])}{did_you_mean(suggest(column, names))}"
    )


def _numbers(values: Array) -> list[str]:
    if len(np.unique(values)) <= DISTINCT:
        return [f"{value:g}" for value in values]
    cuts = np.unique(np.quantile(values, [0, 0.25, 0.5, 0.75, 1]))
    quarter = np.clip(np.searchsorted(cuts, values, side="right") - 1, 0, len(cuts) - 2)
    return [f"{cuts[i]:.4g} to {cuts[i + 1]:.4g}" for i in quarter]
