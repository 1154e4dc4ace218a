"""One column of a table as columns of x: learnt from the training rows, then the same for all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.files.plan import Plan
from backprop_cli.data.files.scaling import log, scaled, spread
from backprop_cli.data.files.unseen import Unseen
from backprop_cli.data.files.values import BOOLEANS
from backprop_cli.errors import DataError
from backprop_cli.seeds import generator

NONE = "(missing)"  # the category that gaps are with missing: category
QUANTILES = 1000
FOLDS = 5  # of the training rows: with encoding: target, none of them sees its own target
_WORD = re.compile(r"\w+")


def learn(plan: Plan, column: Any, name: str, origin: str, train: Array, y: Array) -> None:
    """Settle a plan from the rows `train` (n,) of an Arrow column, and their targets y (n, K). Raises DataError."""
    if plan.type == "text":
        counts: Counter[str] = Counter()
        for text in column.take(train).to_pylist():
            counts.update({*_words(text)})
        plan.words = [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[: plan.limit]]
        if not plan.words:
            raise DataError(f"{origin}, column {name!r}: no text of the training split has a word; leave it out")
    elif plan.is_text:
        _learn_categories(plan, column.take(train), name, origin, y)
    else:
        values = numbers(column, name, origin, plan)[train]
        known = values[~np.isnan(values)]
        if plan.fills:
            middle: dict[str, Any] = {"mean": np.mean, "median": np.median}
            plan.fill = float(middle[plan.missing](known)) if plan.missing in middle and len(known) else 0.0
        if plan.scale == "quantile":
            count = max(2, min(QUANTILES, len(known)))
            plan.knots = np.quantile(known if len(known) else np.zeros(1), np.linspace(0, 1, count)).tolist()
        elif plan.scale != "none" and len(known):
            plan.center, plan.spread = spread(log(known) if plan.scale == "log" else known, plan.scale == "robust")


def _learn_categories(plan: Plan, column: Any, name: str, origin: str, y: Array) -> None:
    import pyarrow.compute as pc

    counted = {count["values"]: count["counts"] for count in pc.value_counts(_texts(column)).to_pylist()}
    gaps = counted.pop(None, 0)
    if plan.type == "boolean":
        plan.categories = _no_and_yes(sorted(counted), name, origin)
    else:
        if plan.missing == "category" and gaps:
            counted[NONE] = gaps
        kept = [category for category, count in counted.items() if plan.rare is None or count >= plan.rare]
        plan.categories = sorted(kept)
        plan.other = plan.unseen == "other" and (plan.encoding == "integer" or plan.rare is not None)
        if not plan.categories and not plan.other:
            raise DataError(f"{origin}, column {name!r}: no value in the training split; leave it out")
    if plan.missing == "most_frequent" and counted:
        plan.fill = max(counted, key=lambda category: (counted[category], category))
    elif plan.missing == "category":
        plan.fill = NONE
    if plan.type == "category" and plan.encoding == "target":
        plan.means = _means(_ids(plan, column), y, len(plan.categories), plan.smooth).tolist()


def held_out(plan: Plan, column: Any, name: str, y: Array, seed: int) -> Array:
    """What stands in x for the training rows of a column with `encoding: target` (n, K): means of the targets y (n, K),
    each learnt without its own fold, so that no row sees its own target."""
    ids = _ids(plan, column)
    means = np.empty_like(y, np.float64)
    part = generator(seed, "target encoding", name).permutation(len(ids)) % FOLDS
    for k in range(FOLDS):
        inside = part == k
        if inside.any() and not inside.all():
            means[inside] = _means(ids[~inside], y[~inside], len(plan.categories), plan.smooth)[ids[inside]]
    return means


def _ids(plan: Plan, column: Any) -> Array:
    """The number of each row's category (n,); one more than the last for a category that has none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    filled = _texts(column) if plan.fill is None else pc.fill_null(_texts(column), plan.fill)
    known = pc.index_in(filled, pa.array(plan.categories, pa.string()))
    return np.asarray(pc.fill_null(known, len(plan.categories)).to_numpy())


def _means(ids: Array, y: Array, count: int, smooth: float) -> Array:
    """(Σ y + s ȳ) / (n + s) of the rows of each category, and ȳ for the rest.  (count + 1, K)"""
    overall = y.mean(axis=0)
    rows = np.bincount(ids, minlength=count + 1)[:count, None]
    sums = np.stack([np.bincount(ids, column, count + 1)[:count] for column in y.T], axis=1)
    with np.errstate(invalid="ignore"):
        means = (sums + smooth * overall) / (rows + smooth)
    return np.concatenate([np.where(rows + smooth > 0, means, overall), overall[None]])


def _no_and_yes(categories: Sequence[str], name: str, origin: str) -> list[str]:
    """The values of no and yes among those that a column has."""
    words = {text.strip().lower() for text in categories}
    for no, yes in BOOLEANS:
        if words <= {no, yes}:
            return [next((text for text in categories if text.strip().lower() == word), word) for word in (no, yes)]
    if len(categories) == 2:
        return list(categories)
    shown = ", ".join(map(repr, categories[:4]))
    raise DataError(
        f"{origin}, column {name!r}: {shown} are {len(categories)} values; a boolean has two, such as yes and no"
    )


def encode(plan: Plan, column: Any, name: str, origin: str, unseen: Unseen | None) -> list[Array | tuple[Array, int]]:
    """The columns of x: arrays (N,) or (N, K), or codes (N,) with how many columns they stand for, −1 for none.
    Raises DataError."""
    encoded: list[Array | tuple[Array, int]] = []
    missing = np.asarray(column.is_null()) if plan.flag else None
    if plan.type == "text":
        encoded.append(_counted(column, plan))
    elif plan.is_text:
        encoded.append(_category(plan, column, name, origin, unseen))
    else:
        values = numbers(column, name, origin, plan)
        if plan.fill is not None:
            values = np.where(np.isnan(values), float(plan.fill), values)
        encoded.append(_parts(values, plan.parts) if plan.parts else scaled(values, plan))
    if missing is not None:
        encoded.append(missing.astype(np.float64))
    return encoded


def numbers(column: Any, name: str, origin: str, plan: Plan) -> Array:
    """A column of numbers or days as float64 (N,), gaps NaN. Raises DataError for the first other value."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        first = next((i for i, value in enumerate(column.to_pylist()) if value is not None), 0)
        what = "a date; set dataset.dates" if plan.type == "date" else "a number; repair it, or set type: category"
        raise DataError(f"{origin}, row {first + 1}, column {name!r}: {column[first].as_py()!r} is not {what}")
    if plan.type == "date" and pa.types.is_integer(kind):
        raise DataError(
            f"{origin}, row 1, column {name!r}: {column[0].as_py()} is a number and no date; set type: number"
        )
    if not any(test(kind) for test in (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean,
                                       pa.types.is_decimal, pa.types.is_null)):  # fmt: skip
        raise DataError(f"{origin}, column {name!r}: holds {kind}; expected numbers")
    values: Array = column.cast(pa.float64()).to_numpy()
    wrong = np.flatnonzero(~np.isfinite(values) & ~np.asarray(column.is_null()))
    if len(wrong):
        raise DataError(f"{origin}, row {wrong[0] + 1}, column {name!r}: {values[wrong[0]]}, expected a finite number")
    return values


def _parts(days: Array, parts: Sequence[str]) -> Array:
    """Parts of dates that are days since 1970-01-01, as (N, parts)."""
    moments = np.rint(days * 86_400).astype("M8[s]")
    day, month, year = (moments.astype(f"M8[{unit}]") for unit in "DMY")
    months = month.astype(np.int64) % 12
    numerals = {
        "days": days,
        "year": year.astype(np.int64) + 1970,
        "quarter": months // 3 + 1,
        "month": months + 1,
        "day": (day - month.astype("M8[D]")).astype(np.int64) + 1,
        "day_of_year": (day - year.astype("M8[D]")).astype(np.int64) + 1,
        "weekday": (day.astype(np.int64) + 3) % 7,  # 1970-01-01 was a Thursday
        "hour": (moments - day.astype("M8[s]")).astype(np.int64) // 3600,
        "minute": (moments - day.astype("M8[s]")).astype(np.int64) // 60 % 60,
    }
    return np.stack([np.asarray(numerals[part], np.float64) for part in parts], axis=1)


def _words(text: str | None) -> list[str]:
    return _WORD.findall((text or "").lower())


def _counted(column: Any, plan: Plan) -> Array:
    places = {word: i for i, word in enumerate(plan.words)}
    hot = np.zeros((len(column), len(places)))
    for row, text in enumerate(column.to_pylist()):
        for word in _words(text):
            if word in places:
                hot[row, places[word]] += 1
    return np.log1p(hot)


def _texts(column: Any) -> Any:
    import pyarrow as pa

    return column.cast(pa.string())


def _category(plan: Plan, column: Any, name: str, origin: str, unseen: Unseen | None) -> Array | tuple[Array, int]:
    import pyarrow as pa
    import pyarrow.compute as pc

    column = _texts(column)
    if plan.fill is not None:
        column = pc.fill_null(column, plan.fill)
    known, rest = plan.categories, -1
    ids = pc.index_in(column, pa.array(known, pa.string()))
    if ids.null_count:
        if plan.type == "boolean" or plan.unseen == "error":
            row = pc.index(pc.is_null(ids), True).as_py()
            remedy = "" if plan.type == "boolean" else f"; dataset.columns.{name}.unseen: other takes such, too"
            raise DataError(
                f"{origin}, row {row + 1}, column {name!r}: category {column[row].as_py()!r} is none of the training "
                f"split's, {', '.join(known[:20])}{remedy}"
            )
        rest = len(known) if plan.other else -1
        if unseen is not None and plan.rare is None:
            unseen.add(name, column.filter(pc.is_null(ids)).to_pylist())
    codes: Array = pc.fill_null(ids, rest).to_numpy().astype(np.int32)
    if plan.type == "category" and plan.encoding == "one_hot":
        return codes, len(known) + plan.other
    if plan.type == "category" and plan.encoding == "target":
        return np.asarray(plan.means)[codes]  # −1 is the last: the overall mean
    return codes.astype(np.float64)
