"""Tables: columns of a CSV, TSV or Parquet file as x and y.

Features and targets are in one file because the rows that either lacks are left out of both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backprop_cli.data import splits
from backprop_cli.data.arrays import Array
from backprop_cli.data.dataset import Dataset, Split
from backprop_cli.data.duplicates import across
from backprop_cli.data.files.columns import column_names, first_rows, read_columns, require
from backprop_cli.data.files.deal import deal
from backprop_cli.data.files.features import held_out, learn
from backprop_cli.data.files.gaps import fill_gaps, learn_means, without_gaps
from backprop_cli.data.files.guess import fitting, guess
from backprop_cli.data.files.keys import check_apart, keys_of
from backprop_cli.data.files.labels import MAX_INTEGER_CLASSES, are_classes, check_seen, encode, task_of
from backprop_cli.data.files.layout import MISSING, UNNAMED, Layout, said
from backprop_cli.data.files.matrix import MIDDLES, Columns, matrix
from backprop_cli.data.files.moments import TIME
from backprop_cli.data.files.plan import Plan, kind_of, planned, problems
from backprop_cli.data.files.request import Request
from backprop_cli.data.files.series import cut, track
from backprop_cli.data.files.targets import check_targets, is_text, real_values, target_values
from backprop_cli.data.files.unseen import Unseen
from backprop_cli.data.files.values import keep_text, refuse_numbers, rounded
from backprop_cli.data.files.weights import weight_of
from backprop_cli.data.schema import Series
from backprop_cli.errors import DataError, OptionError

if TYPE_CHECKING:
    from backprop_cli.data.files.options import FileOptions
    from backprop_cli.data.schema import Schema

BESIDE = ("sample_weight", "group", "time", "by", "split_column")  # options that name a column outside the features
_ROW = "\0row"  # a column that no file has
MAX_CATEGORIES = 100  # a text column with more is a name or a number, unless it is listed
_CODE = re.compile(r"0\d+")
_TIME = re.compile(TIME)
_FEWEST_NUMBERED = 10  # rows from which on 1, 2, 3, … is no coincidence


def load_tables(request: Request) -> Dataset:
    """The dataset of one table, or of one a split: x (N, F), windows (N, window, F) or texts (N,); y (N,) class ids or
    (N, K) values; see `Files`. Raises DataError."""
    options, form, paths, slices, seed, known, first = (
        request.options,
        request.form,
        request.paths,
        request.slices,
        request.seed,
        request.known,
        request.base,
    )
    learnt = (known.series.targets if known.series else known.targets) if known else []
    given = options.target or learnt
    targets = [given] if isinstance(given, str) else list(given)
    notes: list[str] = []
    if known is not None and known.table is not None:
        layout = fitting(paths[first], form, known.table.layout, [*known.table.needed, *targets])
    else:
        layout = guess(paths[first], form, options.layout(), [*targets, *(options.features or options.categorical)])
        notes += said(paths[first], layout, options.layout())
    if not targets:
        raise OptionError(
            f"{paths[first]}: set dataset.target to the column to predict; the columns are "
            + ", ".join(column_names(paths[first], layout)[:30])
        )
    if known is not None and known.table is not None:
        columns = replace(known.table, layout=layout)
    else:
        columns = _choose(options, layout, paths[first], targets, notes)
    series = _series(options, known, targets)
    beside = [*targets, *_beside(options)]
    coded = _coded(options, layout, paths[first], targets, known)
    table = _read(columns, paths[first], beside, [*coded, *as_text(options)])
    if known is None:
        columns.plans = _plans(options, columns, table)
    tables, numbers = {}, dict[str, Array]()
    tables[first], numbers[first] = _complete(table, columns, targets, paths[first])
    del table
    if known is None:
        if not options.features:
            notes += _numbering(tables[first], columns.features, paths[first])
        notes += [
            f"{paths[first]}: column {name!r}: {note}"
            for name in (*columns.features, *targets)
            if name in tables[first].column_names and (note := rounded(tables[first][name], name))
        ]
        if options.task != "classification" and not coded:
            meant = options.task or ("regression" if series else None)
            check_targets(tables[first], targets, paths[first], layout, meant, notes)
        options.settle(layout)
    texts = [name for name in targets if is_text(tables[first][name].type)]
    for name, path in paths.items():
        if name != first:
            own = replace(columns, layout=fitting(path, form, layout, [*columns.needed, *targets]))
            table = _read(own, path, beside, texts)
            tables[name], numbers[name] = _complete(table, columns, targets, path)

    raw = {name: target_values(table, targets) for name, table in tables.items()}
    classes = None
    task: str | None = options.task or task_of(known)
    if task is None and series is not None and raw[first].dtype.kind in "iu":  # 0, 3, 1, … in time order are counts
        task = "regression"
    if len(targets) == 1 and are_classes(raw[first], task):
        origin = {name: str(path) for name, path in paths.items()}
        listed, whose = (known.classes, {}) if known else (options.classes, {"whose": "dataset.classes"})
        y, classes = encode(raw, origin, listed, **whose)
    else:
        y = {name: real_values(values, targets, paths[name]) for name, values in raw.items()}
    if options.classes is not None and classes is None:
        raise OptionError(f"{paths[first]}: dataset.classes orders labels, and the target is a number; remove it")
    weights = {
        name: weight_of(table[options.sample_weight], options.sample_weight, paths[name])
        for name, table in tables.items()
        if options.sample_weight
    }
    dealt, in_file = None, y[first]
    if len(paths) == 1:
        keys = keys_of(options, tables[first], str(paths[first]))
        (target,) = y.values()
        labels, values = (target, None) if classes else (None, target)
        dealt = deal(len(target), options, slices, seed, labels=labels, values=values, keys=keys)
    elif options.group:
        groups = {name: table[options.group].unique().to_pylist() for name, table in tables.items()}
        check_apart(groups, options.group)
    x: dict[str, Array] = {}
    unseen, mine = Unseen(), dict[str, tuple[Array, Array]]()
    if known is None or "train" in (dealt.splits() if dealt else paths):  # those that the model was trained on, again
        train = dealt.rows("train") if dealt else np.arange(len(tables[first]))
        goal = _goal(in_file[train], classes)
        if known is None:
            columns.categories = _learn_categories(columns, options.categorical, tables[first], train, paths[first])
            _learn_plans(columns, tables[first], train, goal, classes, targets, paths[first])
        mine = {
            name: (train, held_out(plan, tables[first][name].take(train), name, goal, seed))
            for name, plan in columns.plans.items()
            if plan.means
        }
    tracks = {
        name: track(table, series, str(paths[name]), numbers[name])
        for name, table in tables.items()
        if series is not None
    }
    order = dealt.order if dealt and series is None else None
    for name in list(tables):
        x[name] = matrix(tables.pop(name), columns, str(paths[name]), order, unseen, mine if name == first else None)
    parts: dict[str, Split] = {}
    if series is None:
        if dealt is not None:
            slices, y[first], numbers[first] = dealt.slices, y[first][dealt.order], numbers[first][dealt.order]
            weights = {name: weight[dealt.order] for name, weight in weights.items()}
        parts = splits.cut(x, y, slices, weights=weights or None, rows=numbers)
        train_x, every = (parts.get("train") or next(iter(parts.values()))).x, [part.x for part in parts.values()]
    else:
        train_x, every = x[first][dealt.rows("train")] if dealt else x[first], [*x.values()]
    if columns.missing in MIDDLES:
        if known is None:
            learn_means(columns, train_x)
        for rows in every:
            fill_gaps(columns, rows)
    if series is not None:
        for name, rows in x.items():
            of_split = dealt.splits() if dealt else {name: np.arange(len(rows))}
            windows = cut(series, options.stride or 1, str(paths[name]), tracks[name], rows, y[name], of_split)
            parts |= windows.splits
            notes += [windows.said] if known is None or "train" not in windows.splits else ()  # else training said it
    if known is None:
        check_seen(parts, classes)
        notes += across(parts) if series is None else ()
    return Dataset(
        name=paths[first].stem,
        source="files",
        splits=parts,
        classes=classes,
        features=None if columns.text else columns.names(),
        origin=request.origin,
        targets=series.outputs if series is not None else targets,
        table=columns,
        series=series,
        weight=options.sample_weight,
        notes=[*notes, *unseen.notes(paths[first].name, "the model" if known else "the training split")],
    )


def _series(options: FileOptions, known: Schema | None, targets: Sequence[str]) -> Series | None:
    """How windows are cut, as a model has learnt it or as the options say; None where rows are no series."""
    if known is not None:
        return known.series
    if options.window is None:
        return None
    return Series(
        window=options.window,
        horizon=options.horizon,
        by=options.by,
        time=options.time,
        gaps=options.gaps,
        targets=list(targets),
    )


def _coded(
    options: FileOptions, layout: Layout, path: Path, targets: Sequence[str], known: Schema | None
) -> Sequence[str]:
    """The target whose labels are codes that begin with 0, such as 007, which a number would lose."""
    if not layout.delimited or len(targets) != 1 or (options.task or task_of(known)) == "regression":
        return []
    if known is not None:
        return targets if any(map(_CODE.fullmatch, known.classes or [])) else []
    names, rows = first_rows(path, layout, 1000)
    at = names.index(targets[0])
    labels = {row[at].strip() for row in rows if len(row) > at}
    return targets if len(labels) <= MAX_INTEGER_CLASSES and any(map(_CODE.fullmatch, labels)) else []


def _choose(options: FileOptions, layout: Layout, path: Path, targets: Sequence[str], notes: list[str]) -> Columns:
    names, rows = first_rows(path, layout, 1000)
    exclude = options.exclude or []
    beside = _beside(options)
    checked = {"target": targets, "features": options.features or [], "categorical": options.categorical}
    checked |= {"exclude": exclude, "dates": list(options.dates or {})}
    checked |= {role: [getattr(options, role)] for role in BESIDE if getattr(options, role)}
    for role, wanted in checked.items():
        require(path, names, wanted, role, OptionError)
        twice = next((column for i, column in enumerate(wanted) if column in wanted[:i]), None)
        if twice is not None:
            raise OptionError(f"{path}: dataset.{role} names column {twice!r} twice; name it once")
    if options.text is not None:
        idle = next((name for name in ("features", "categorical", "exclude") if getattr(options, name)), None)
        if idle:
            raise OptionError(f"dataset.{idle} means nothing beside dataset.text, which is the only input; remove it")
        require(path, names, [options.text], "text", OptionError)
        return Columns(layout, [], text=options.text, missing=options.missing)
    if not options.features:
        unnamed = [name for i, name in enumerate(names) if UNNAMED.fullmatch(name) and _is_index(i, name, rows)]
        unnamed = [name for name in unnamed if name not in targets and name not in exclude]
        if unnamed:
            listed = ", ".join(map(repr, unnamed))
            notes.append(
                f"{path}: left out {listed}: without a name, it looks like the row numbers that pandas saves; "
                "list it under dataset.features to keep it"
            )
            options.exclude = exclude = [*exclude, *unnamed]
    has_past = options.window is not None  # of targets, which are inputs, too
    idle_columns = [*(() if has_past else targets), *exclude, *beside]
    features = options.features or [name for name in names if name not in idle_columns]
    for name in features:
        if name in targets and not has_past:
            raise OptionError(f"{path}: column {name!r} is both feature and target; take it out of one")
        if name in exclude:
            raise OptionError(f"{path}: column {name!r} is both in features and in exclude; take it out of one")
    for i, name in enumerate(names):
        cells = [row[i].strip() for row in rows if len(row) > i and row[i].strip() not in MISSING]
        if name in (*features, *targets) and name not in as_text(options) and cells and all(map(_TIME.match, cells)):
            notes.append(
                f"{path}: column {name!r} is read as hours, as {cells[0]!r} looks like a time; {keep_text(name)}"
            )
    if not features:
        raise DataError(f"{path}: no column is left to learn from; expected one besides the target")
    idle = next((name for name in options.categorical if name not in features), None)
    if idle is not None:
        raise OptionError(f"{path}: column {idle!r} of dataset.categorical is no feature; remove it there")
    wrong = list(problems(options.columns, names, features, targets))
    if wrong:
        raise OptionError("\n".join(f"{path}: {problem}" for problem in wrong))
    categories: dict[str, list[str]] = {name: [] for name in options.categorical}
    units = {name: column.unit for name, column in options.columns.items() if column.unit}
    return Columns(layout, features, None, options.categories, options.missing, categories, units=units)


def _complete(table: Any, columns: Columns, targets: Sequence[str], path: Path) -> tuple[Any, Array]:
    """The table without rows that lack what may not be missing, and the numbers of its rows in the file. Raises
    DataError."""
    import pyarrow as pa

    numbers = np.arange(len(table))
    if not any(columns.drops(name) for name in table.column_names):
        return without_gaps(table, columns, targets, path), numbers
    kept = without_gaps(table.append_column(_ROW, pa.array(numbers)), columns, targets, path)
    return kept.drop_columns([_ROW]), kept[_ROW].to_numpy()


def _beside(options: FileOptions) -> list[str]:
    """The columns that are read for something else than x and y; they are features only where they are listed."""
    return [name for role in BESIDE if (name := getattr(options, role)) is not None]


def _is_index(at: int, name: str, rows: Sequence[Sequence[str]]) -> bool:
    """Whether a column without a name is an index: the first one, or one that pandas calls so, or one that is empty."""
    empty = bool(rows) and all(len(row) <= at or row[at].strip() in MISSING for row in rows)
    return at == 0 or name.startswith(("__", "Unnamed: 0")) or empty


def _read(columns: Columns, path: Path, targets: Sequence[str], texts: Sequence[str] = ()) -> Any:
    names = column_names(path, columns.layout)
    require(path, names, [*columns.needed, *targets], "needed")
    texts = [*([columns.text] if columns.text else columns.categories), *texts]
    return read_columns(path, columns.layout, names, [*columns.needed, *targets], texts)


def as_text(options: FileOptions) -> list[str]:
    """The columns that the config calls categories or text, to be read as they are written."""
    return [
        name
        for name, column in options.columns.items()
        if column.type in ("category", "boolean", "text")
        or (column.type is None and (column.encoding or column.rare or column.unseen))
    ]


def _plans(options: FileOptions, columns: Columns, table: Any) -> dict[str, Plan]:
    """The plans of the columns that the config says more about, before anything is learnt."""
    plans = {}
    for name, given in options.columns.items():
        if given.plain:
            continue
        categories = options.categories
        plans[name] = planned(given, kind_of(table[name], given), options.missing, categories)
        columns.categories.pop(name, None)
    return plans


def _learn_plans(
    columns: Columns,
    table: Any,
    train: Array,
    goal: Array,
    classes: list[str] | None,
    targets: Sequence[str],
    path: Path,
) -> None:
    """Settle the plans from the training rows."""
    names = list(targets) if not classes else classes[1:] if len(classes) == 2 else classes
    for name, plan in columns.plans.items():
        plan.targets = names if plan.encoding == "target" and plan.type == "category" else []
        learn(plan, table[name], name, str(path), train, goal)


def _goal(y: Array, classes: list[str] | None) -> Array:
    """What `encoding: target` takes means of (n, K): values, or 1 for the class; of two classes the second one."""
    if not classes:
        return y.reshape(len(y), -1).astype(np.float64)
    first = 1 if len(classes) == 2 else 0
    return np.asarray(y[:, None] == np.arange(first, len(classes)), np.float64)


def _numbering(table: Any, features: Sequence[str], path: Path) -> list[str]:
    """What to say about columns that do nothing but number the rows."""
    import pyarrow as pa

    notes = []
    for name in features if len(table) >= _FEWEST_NUMBERED else ():
        column = table[name]
        if pa.types.is_integer(column.type) and not column.null_count:
            values = column.to_numpy()
            if np.array_equal(values, values[0] + np.arange(len(values))):
                notes.append(
                    f"{path}: column {name!r} numbers the rows ({values[0]}, {values[1]}, …) and is a feature all the "
                    f"same; dataset.exclude: [{name}] leaves it out"
                )
    return notes


def _learn_categories(
    columns: Columns, listed: Sequence[str], table: Any, train: Array, path: Path
) -> dict[str, list[str]]:
    """The categories of the training rows' text columns, sorted; their most frequent one goes to `fill`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    categories: dict[str, list[str]] = {}
    for name in columns.features:
        if name in columns.plans or (name not in listed and not is_text(table[name].type)):
            continue
        counts = pc.value_counts(table[name].take(train).cast(pa.string()))
        counted = {count["values"]: count["counts"] for count in counts.to_pylist() if count["values"] is not None}
        if name not in listed:
            refuse_numbers(counted, table[name], name, path, columns.layout)
        if name not in listed and len(counted) > MAX_CATEGORIES:
            shown = ", ".join(repr(category) for category in sorted(counted)[:3])
            raise DataError(
                f"{path}: text column {name!r} has {len(counted)} different values ({shown}, …); leave it out of "
                f"dataset.features, list it under dataset.categorical, or set dataset.columns: {{{name}: {{rare: 10}}}}"
            )
        categories[name] = sorted(counted)
        if columns.missing in MIDDLES and counted:
            columns.fill[name] = max(counted, key=lambda category: (counted[category], category))
    return categories
