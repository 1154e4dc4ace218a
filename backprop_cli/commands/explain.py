"""What a trained network makes of its inputs: which columns matter, what each does to the answer, which tokens decide.

Measured on rows of a split, from raw inputs; the same each time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from backprop_cli.commands.evaluation import measured
from backprop_cli.data.batches import Batches
from backprop_cli.data.dataset import Split
from backprop_cli.data.transforms.tokenize import UNKNOWN, Tokenize
from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import larger_is_better
from backprop_cli.errors import UsageError, did_you_mean, suggest
from backprop_cli.model.build import Prepared
from backprop_cli.training.threads import limited

ROWS = 2000  # of a split that are looked at, evenly spaced
GRID = 20  # values of a column that partial dependence goes through
PROFILED = 5  # columns whose partial dependence is told: the most important ones


def explain(
    prepared: Prepared,
    split: str,
    *,
    columns: Sequence[str] = (),
    repeats: int = 5,
    seed: int = 0,
    progress: Any = None,
) -> dict[str, Any]:
    """Permutation importance of every column, and partial dependence of some: what `bp explain --json` prints.

    Importance is how much worse the first metric (without any the loss) gets when the values of a column are shuffled
    among the rows, mean and spread over `repeats` (Breiman 2001); 0 where it is no more than rounding. Columns
    that tell the same share it between them.
    Partial dependence is the mean output when every row has the same value in the column (Friedman 2001).
    Raises UsageError where inputs have no columns, and for a column that they do not have.
    """
    data, groups = _some(prepared.dataset.splits[split]), _groups(prepared)
    unknown = next((column for column in columns if column not in groups), None)
    if unknown is not None:
        raise UsageError(
            f"--column {unknown}: no such column; the inputs have {', '.join(list(groups)[:20])}"
            f"{did_you_mean(suggest(unknown, groups))}"
        )
    name, score = _score(prepared, data)
    sign = 1 if larger_is_better(name, prepared.config.trainer.metrics) else -1
    base, rng = score(data.x), np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for i, (column, places) in enumerate(groups.items(), start=1):
        drops = []
        for _ in range(repeats):
            x = np.array(data.x)
            x[..., places] = x[rng.permutation(len(x))][..., places]
            drops.append(sign * (base - score(x)))
        rounding = 8 * float(np.finfo(prepared.config.dtype).eps) * max(abs(base), *map(abs, drops))
        mean, std = (float(value) if abs(value) > rounding else 0.0 for value in (np.mean(drops), np.std(drops)))
        rows.append({"column": column, "importance": mean, "std": std})
        if progress is not None:
            progress("shuffling columns", i, len(groups))
    rows.sort(key=lambda row: -row["importance"])
    most = 0 if prepared.schema.series is not None else PROFILED  # of windows only where it is asked for: in every step
    shown = list(columns) or [row["column"] for row in rows[:most]]
    return {
        "split": split,
        "samples": len(data),
        "metric": name,
        "value": base,
        "importance": rows,
        "dependence": {column: dependence(prepared, data, column, groups[column]) for column in shown},
    }


def dependence(prepared: Prepared, data: Split, column: str, places: Sequence[int]) -> list[dict[str, Any]]:
    """The mean outputs (probabilities where outputs tell some) at values of a column: its categories, or numbers from
    its least to its greatest as often as they are common."""
    reading, table = prepared.reading, prepared.schema.table
    plan = table.plans.get(column) if table is not None else None
    known = (table.categories.get(column) if plan is None else plan.categories) if table is not None else None
    if plan is not None and (plan.type == "text" or (plan.type == "category" and plan.encoding == "target")):
        return []  # words and means of the target are not values of the column
    flag = [0.0] if plan is not None and plan.flag else []  # as if it were not missing
    wide = len(places) - len(flag) > 1
    if known and wide:
        values: list[tuple[Any, Array]] = list(zip(known, np.eye(len(known), len(places)), strict=True))
    elif known:
        values = [(category, np.array([code, *flag])) for code, category in enumerate(known)]
    else:
        seen = np.asarray(data.x[..., places[0]], np.float64).reshape(-1)
        points = np.unique(seen)
        if len(points) > GRID:
            points = np.unique(np.quantile(seen, np.linspace(0, 1, GRID)))
        told = prepared.schema.in_unit(column, points)
        values = [(float(shown), np.array([value, *flag])) for shown, value in zip(told, points, strict=True)]
    names = reading.output_names(int(np.prod(prepared.network.output_shape)))
    rows = []
    for value, written in values:
        x = np.array(data.x)
        x[..., places] = written
        y = outputs(prepared, x)
        p = None if reading.kind == "values" else reading.probabilities(y)
        mean = (y if p is None else p).reshape(len(y), -1).mean(axis=0)
        rows.append({"value": value, **{name: float(output) for name, output in zip(names, mean, strict=True)}})
    return rows


def attributions(prepared: Prepared, split: str, sample: int) -> dict[str, Any]:
    """How much of the answer's probability depends on each token of a text: what it loses when the token is unknown.

    Raises UsageError if the inputs are not texts, or if each step has its own answer.
    """
    data, tokenizer = prepared.dataset.splits[split], _tokenizer(prepared)
    if tokenizer is None or not prepared.reading.has_classes or len(prepared.network.output_shape) > 1:
        raise UsageError("the weight of a token needs the transform tokenize, and one class for each text")
    if not 0 <= sample < len(data):
        raise UsageError(f"there is no sample {sample}; the split {split} has the samples 0 to {len(data) - 1}")
    ids = next(iter(_batches(prepared, _rows(data, slice(sample, sample + 1))).epoch(0)))[0][0].copy()
    tokens = tokenizer.split(data.x[sample])[: len(ids)]
    x = np.repeat(ids[None], len(tokens) + 1, axis=0)
    x[np.arange(1, len(tokens) + 1), np.arange(len(tokens))] = UNKNOWN
    with limited(prepared.network, len(x)):
        y = prepared.network.forward(x)
    p = prepared.reading.probabilities(y)
    if p is None:
        raise UsageError("the outputs are scores, not probabilities, so no answer has a probability to explain")
    answer = int(prepared.reading.ids(y)[0])
    sure = p[:, answer] if prepared.reading.kind == "classes" else np.abs(1 - answer - p.reshape(-1))
    return {
        "split": split,
        "sample": sample,
        "prediction": prepared.reading.class_names(y.shape[-1])[answer],
        "p": float(sure[0]),
        "tokens": [
            {"token": token, "weight": float(sure[0] - without)}
            for token, without in zip(tokens, sure[1:], strict=True)
        ],
    }


def is_text(prepared: Prepared) -> bool:
    """Whether inputs are texts that become tokens."""
    return _tokenizer(prepared) is not None


def outputs(prepared: Prepared, x: Array) -> Array:
    """The network's outputs (N, …) for raw inputs x (N, …), as the dataset has them."""
    first = next(iter(prepared.dataset.splits.values()))
    batches = _batches(prepared, Split(x, np.broadcast_to(first.y[:1], (len(x), *first.y.shape[1:]))))
    with limited(prepared.network, batches.batch_size):
        return np.concatenate([prepared.network.forward(rows) for rows, _ in batches.epoch(0)])


def _batches(prepared: Prepared, data: Split) -> Batches:
    return replace(prepared, dataset=replace(prepared.dataset, splits={"rows": data})).batches("rows")


def _rows(data: Split, rows: Any) -> Split:
    return Split(data.x[rows], data.y[rows])


def _some(data: Split) -> Split:
    rows = np.arange(len(data)) if len(data) <= ROWS else np.linspace(0, len(data) - 1, ROWS).astype(int)
    return _rows(data, rows)


def _score(prepared: Prepared, data: Split) -> tuple[str, Callable[[Array], float]]:
    metrics = prepared.config.trainer.metrics
    name = metrics[0].key if metrics else "loss"

    def score(x: Array) -> float:
        result, _ = measured(
            prepared.network, _batches(prepared, Split(x, data.y)), prepared.reading, metrics, None, "rows"
        )
        return float(result["metrics"][name])

    return name, score


def _groups(prepared: Prepared) -> dict[str, list[int]]:
    """The columns that inputs come from, with their places in x; a category has one for each of its values."""
    table, shape = prepared.schema.table, prepared.dataset.input_shape
    if not has_columns(prepared):
        raise UsageError("the inputs have no columns; for images there is a picture, for texts --sample N")
    if table is not None:
        return table.groups()
    heads = list(prepared.schema.features or [])
    heads = heads if len(heads) == shape[0] else [f"x{i + 1}" for i in range(shape[0])]
    return {head: [i] for i, head in enumerate(heads)}


def has_columns(prepared: Prepared) -> bool:
    """Whether inputs are rows of columns, or windows of such rows."""
    table, shape = prepared.schema.table, prepared.dataset.input_shape
    columns = len(shape) == 1 or prepared.schema.series is not None
    return columns and prepared.dataset.text is None and not (table is not None and table.text)


def _tokenizer(prepared: Prepared) -> Tokenize | None:
    return next((transform for transform in prepared.transforms if isinstance(transform, Tokenize)), None)
