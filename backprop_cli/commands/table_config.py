"""The config that `bp config init --data` writes: for one table, with each guess beside its reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from backprop_cli.config.spelling import flow
from backprop_cli.config.starter import trainer
from backprop_cli.data.files import LAYOUT, Files
from backprop_cli.data.files.labels import MAX_INTEGER_CLASSES
from backprop_cli.data.files.layout import Layout
from backprop_cli.data.files.table import MAX_CATEGORIES
from backprop_cli.data.look import Look
from backprop_cli.data.look_column import Column
from backprop_cli.errors import UsageError
from backprop_cli.registry import about

_LARGE = 20_000  # rows from which on batches are larger and epochs fewer


def table_config(found: Look, file: str, data: str) -> str:
    """A commented config for a table. `file` is its own name, `data` the path of the table as it is to be written.

    Raises UsageError for a target that nothing can be learnt of.
    """
    target = found.column(found.targets[0])
    if target.type == "constant":
        raise UsageError(f"target {target.name!r} has one value only; there is nothing to predict")
    classes, large = _classes(target), found.rows > _LARGE
    lines = [
        f"# {target.name} from {found.name}: {found.rows:,} rows, {len(found.columns)} columns.",
        f"#   bp data info {file}      what each column is taken for",
        f"#   bp train {file}",
        f"name: {flow(_name(found))}",
        "seed: 0",
        "",
        "dataset:",
        "  source: files",
        f"  path: {flow(data)}",
        f"  target: {flow(target.name)}{_why_target(target, classes)}",
        *_dataset(found, target, classes),
        "  splits: {train: 70%, validation: 15%, test: 15%}",
        "  transforms: [standardize]    # each column of x to mean 0 and deviation 1, learnt from train",
        "",
        *_network(target, classes, large),
    ]
    metrics = "rmse, mae, r2" if classes is None else "accuracy"
    return "\n".join(lines) + "\n" + trainer(30 if large else 100, 256 if large else 32, metrics, patience=20)


def _name(found: Look) -> str:
    stem = found.name.split(".")[0].strip()
    return stem if stem else "table"


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


def _dataset(found: Look, target: Column, classes: int | None) -> Iterator[str]:
    """The options of the source, each with what it was guessed from."""
    assert found.layout is not None
    usual = Layout(found.layout.form)
    for name in LAYOUT:
        value = getattr(found.layout, name)
        if value != getattr(usual, name) and not (name == "delimiter" and value == usual.separator):
            yield f"  {name}: {flow(value)}    # guessed from the file: {_meaning(name)}"
    out = {each.name: reason for each in found.columns if each.role == "feature" and (reason := _left_out(each))}
    out |= {each.name: "has no name" for each in found.columns if each.role == "unused"}
    if out:
        yield f"  exclude: {flow(list(out))}"
        yield from (f"    # {name}: {reason}" for name, reason in out.items())
    if len(out) == len(found.columns) - 1:
        raise UsageError(f"{found.name}: no column is left to learn from; write the config by hand")
    if target.missing:
        yield f"  missing: drop    # {target.missing} rows lack the target"
    elif any(each.missing for each in found.columns if each.role == "feature" and each.name not in out):
        lacking = [each.name for each in found.columns if each.role == "feature" and each.missing]
        yield f"  missing: mean    # gaps in {', '.join(lacking[:5])}{', …' if len(lacking) > 5 else ''}"
    if classes is not None and target.values.type in ("double", "float"):
        yield f"  task: classification    # {_meaning('task')}"


def _meaning(option: str) -> str:
    """What an option of the source means, in the words of the reference."""
    return about(Files, option).partition("; by default")[0]


def _left_out(column: Column) -> str | None:
    """Why a column is no feature."""
    if column.type == "text":
        return "free text; to learn from it alone, set dataset.text and the transform tokenize"
    if column.type == "category" and column.distinct > MAX_CATEGORIES:
        return f"{column.distinct} categories; dataset.categorical takes them all the same"
    return next((note.partition(": leave")[0] for note in column.notes if note.endswith("leave it out")), None)


def _network(target: Column, classes: int | None, large: bool) -> Iterator[str]:
    units = 128 if large else 64
    yield "architecture:"
    yield f"  - {{type: dense, units: {units}, activation: relu}}"
    yield f"  - {{type: dense, units: {units}, activation: relu}}"
    if classes is not None:
        yield f"  - {{type: dense, units: {classes}, activation: softmax}}    # a unit a class"
        loss = "sparse_categorical_crossentropy"
    else:
        loss = "mse"
        yield "  - {type: dense, units: 1}"
        yield "  - unscale    # learns on standardized targets; all is told in their own unit"
    yield ""
    yield f"loss: {loss}"
    yield "optimizer: {type: adam, learning_rate: 0.003, schedule: {type: cosine}}"


def relative(data: Path, file: str) -> str:
    """The path of a table as a config writes it: from its own folder."""
    import os

    folder = Path() if file == "-" else Path(file).parent
    return str(data) if data.is_absolute() else os.path.relpath(data, folder)
