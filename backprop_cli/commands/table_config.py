"""The config that `bp config init --data` writes: for one table, with each guess beside its reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from backprop_cli.config.spelling import flow
from backprop_cli.config.starter import dealt, opening, trainer
from backprop_cli.data.files import Files
from backprop_cli.data.files.labels import MAX_INTEGER_CLASSES
from backprop_cli.data.files.layout import Layout
from backprop_cli.data.files.meant import LAYOUT
from backprop_cli.data.files.table import MAX_CATEGORIES
from backprop_cli.data.look import Look
from backprop_cli.data.look_column import AS_TEXT, Column
from backprop_cli.errors import UsageError
from backprop_cli.registry import about

ONE_HOT = 9  # categories up to which each is a column of x
WIDE = 300
RATE = 0.003
_LARGE = 20_000  # rows from which on batches are larger and epochs fewer


def table_config(look: Look, file: str, data: str, source: Files | None = None) -> str:
    """A commented config for a table. `file` is its own name, `data` the path of the table as it is to be written;
    `source` says which of its layout was given, and not guessed.

    Raises UsageError for a target that nothing can be learnt of.
    """
    target = look.column(look.targets[0])
    if target.type == "constant":
        raise UsageError(f"target {target.name!r} has one value only; there is nothing to predict")
    unread = next((note for note in target.notes if note.startswith(AS_TEXT)), None)
    if unread is not None:
        raise UsageError(f"target {target.name!r}: {unread}")
    classes, large = _classes(target), look.rows > _LARGE
    embedded = _embedded(look)
    numbers = [column for column in _used(look) if column.name not in embedded]
    about = f"{target.name} from {look.name}: {look.rows:,} rows, {len(look.columns)} columns"
    ensemble = f"bp sweep {file} --set seed=0..4 --set dataset.split_seed=0    # 5 networks; bp predict averages them"
    splits, monitor = dealt(look.splits)
    lines = [
        *opening(about, file, data, ensemble),
        f"  target: {flow(target.name)}{_why_target(target, classes)}",
        *_dataset(look, target, classes, source.layout() if source is not None else {}),
        *splits,
        "  transforms: [robust_scale, smooth_clip]    # by median and quartiles of train, and never beyond ± 3",
        "",
        *_network(classes, bool(embedded), sum(column.width or 0 for column in numbers)),
    ]
    metrics = "rmse, mae, r2" if classes is None else "accuracy"
    return "\n".join(lines) + "\n" + trainer(30 if large else 128, 256 if large else 64, metrics, 60, monitor)


def _classes(target: Column) -> int | None:
    """How many classes the target has; None for numbers."""
    if target.range is None or (target.type == "boolean" and target.distinct == 2):
        return target.distinct
    integers = str(target.values.type).startswith(("int", "uint"))
    return target.distinct if integers and target.distinct <= MAX_INTEGER_CLASSES else None


def _why_target(target: Column, classes: int | None) -> str:
    if classes is None:
        return "    # numbers to predict"
    by_guess = "; task: regression if they are numbers to predict" if target.range is not None else ""
    return f"    # {classes} classes{by_guess}"


def _dataset(look: Look, target: Column, classes: int | None, given: Mapping[str, Any]) -> Iterator[str]:
    """The options of the source, each with what it was guessed from."""
    assert look.layout is not None
    usual = Layout(look.layout.form)
    for name in LAYOUT:
        value = getattr(look.layout, name)
        known = given.get(name) is not None
        if known or (value != getattr(usual, name) and not (name == "delimiter" and value == usual.separator)):
            how = _meaning(name) if known else f"guessed from the file: {_meaning(name)}"
            origin = "which rows" if name == "query" else how
            yield f"  {name}: {flow(value)}    # {origin}"
    out = {column.name: reason for column in look.columns if column.role == "feature" and (reason := _left_out(column))}
    out |= {column.name: "has no name" for column in look.columns if column.role == "unused"}
    if out:
        yield f"  exclude: {flow(list(out))}"
        yield from (f"    # {name}: {reason}" for name, reason in out.items())
    if len(out) == len(look.columns) - 1:
        reasons = "; ".join(f"{name} {reason}" for name, reason in out.items())
        raise UsageError(f"{look.name}: no column is left to learn from: {reasons}")
    if target.missing:
        yield f"  missing: drop    # {target.missing} rows lack the target"
    elif any(column.missing for column in look.columns if column.role == "feature" and column.name not in out):
        lacking = [column.name for column in look.columns if column.role == "feature" and column.missing]
        yield f"  missing: mean    # gaps in {', '.join(lacking[:5])}{', …' if len(lacking) > 5 else ''}"
    embedded = _embedded(look)
    if embedded:
        yield f"  columns:    # more than {ONE_HOT} categories: a vector for each instead of a column"
        yield from (f"    {flow(name)}: {{encoding: embedding, unseen: other}}" for name in embedded)
    if classes is not None and target.values.type in ("double", "float"):
        yield f"  task: classification    # {_meaning('task')}"


def _meaning(option: str) -> str:
    """What an option of the source means, in the words of the reference."""
    return about(Files, option).partition("; by default")[0]


def _left_out(column: Column) -> str | None:
    """Why a column is no feature."""
    unread = next((note for note in column.notes if note.startswith(AS_TEXT)), None)
    if unread is not None:
        return unread
    if column.type == "text":
        return "free text; to learn from it alone, set dataset.text and the transform tokenize"
    if column.type == "category" and column.distinct > MAX_CATEGORIES:
        return f"{column.distinct} categories; dataset.categorical takes them all the same"
    return next((note.partition(": leave")[0] for note in column.notes if note.endswith("leave it out")), None)


def _embedded(look: Look) -> list[str]:
    """The features whose categories are so many that vectors serve better than a column each."""
    return [column.name for column in _used(look) if column.type == "category" and column.distinct > ONE_HOT]


def _used(look: Look) -> list[Column]:
    return [column for column in look.columns if column.role == "feature" and _left_out(column) is None]


def _network(classes: int | None, embedded: bool, width: int) -> Iterator[str]:
    """What RealMLP found, with the usual parametrization of weights and the rates that fit it; relu stands in for its
    selu with a learnt slope."""
    yield "# After RealMLP, arXiv:2407.04491: numbers beside their cosines, a factor for each feature, rates in cosines"
    yield "architecture:"
    waves = 0 < width <= WIDE  # of columns of numbers; for more, cosines would cost more than they bring
    if embedded and waves:
        yield "  - {type: number_columns, inputs: [input]}"
    if waves:
        yield "  - {type: periodic_embedding, name: numbers}"
    if embedded and waves:
        yield "  - {type: category_embedding, dimension: 8, numbers: false, name: categories, inputs: [input]}"
        yield "  - {type: concat, inputs: [numbers, categories]}"
    elif embedded:
        yield "  - {type: category_embedding, dimension: 8}"
    yield "  - {type: feature_scale, name: front}"
    act = "mish" if classes is None else "relu"
    for _ in range(3):
        yield f"  - {{type: dense, units: 128, activation: {act}}}"
        yield "  - {type: dropout, rate: 0.15}"
    if classes is not None:
        yield f"  - {{type: dense, units: {classes}, activation: softmax}}    # a unit a class"
        loss = "{type: sparse_categorical_crossentropy, label_smoothing: 0.1}"
    else:
        yield "  - {type: dense, units: 1}"
        yield "  - unscale    # learns on standardized targets; all is told in their own unit"
        loss = "mse"
    yield ""
    yield f"loss: {loss}"
    yield "optimizer:"
    yield f"  {{type: adamw, learning_rate: {RATE}, beta_2: 0.95, weight_decay: 0.05, schedule: cosine_log,"
    front = f"{{match: 'front.*', learning_rate: {6 * RATE:g}}}"
    numbers = f"{{match: 'numbers.*', learning_rate: {RATE / 3:g}}}"
    yield f"   groups: [{front}{f', {numbers}' if waves else ''}]}}"


def relative(data: Path, file: str) -> str:
    """The path of a table as a config writes it: from its own folder."""
    import os

    folder = Path() if file == "-" else Path(file).parent
    return str(data) if data.is_absolute() else os.path.relpath(data, folder)
