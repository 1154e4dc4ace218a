"""What `bp predict` does: rows without targets through a trained model, answers out.

files or standard input → `Predictor.rows` → `Answers`, block by block → a writer of commands/answers.py
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli.commands.answers import Answers
from backprop_cli.data.files.unseen import Unseen
from backprop_cli.data.inputs import Rows
from backprop_cli.data.stream import NAME, Stream
from backprop_cli.engine.reading import Reading
from backprop_cli.errors import DataError, UsageError
from backprop_cli.model.predictor import Predictor

Say = Callable[[str], None]
STDIN = "-"
BLOCK = 8192  # rows that are answered and written together


@dataclass(frozen=True)
class Wishes:
    """What is asked for beside the answers."""

    keep: Sequence[str] = ()  # columns of the input that go into the output
    proba: bool | None = None  # every output as a probability, or none of them; None: outputs as they are
    top: int | None = None  # the number of likeliest classes
    threshold: float | None = None  # the smallest probability (or score) that counts as yes
    strict: bool = False  # categories that the model has not learnt are an error


def predict(
    model: Predictor,
    sources: Sequence[str | Path],
    wishes: Wishes = Wishes(),  # it cannot be changed
    *,
    stdin: int = 0,
    warn: Say | None = None,
    progress: Any = None,
) -> Iterator[Answers]:
    """The answers to all rows of some files, or of standard input (`-`), block by block. Raises DataError, UsageError.

    Categories that the model has not learnt are said once, at the end.
    """
    reading = _wanted(model, wishes)
    unseen = None if wishes.strict else Unseen()
    for source in sources:
        if str(source) == STDIN:
            stream = Stream(stdin, model.description.data)
            parts = (model.rows(table, wishes.keep, unseen, origin) for origin, table in stream)
            form = stream.form
        else:
            parts, form = (model.rows(path, wishes.keep, unseen) for path in [source]), "csv"
        name = str(source) if len(sources) > 1 else None
        first = 0
        for rows in parts:
            if not len(rows.x):
                raise DataError(f"{source}: no rows")
            if rows.notes and warn is not None:
                warn("\n".join(rows.notes))
            if name is not None and rows.files:  # cat/1.png and dog/1.png are two files
                rows.files = [str(Path(source) / file) for file in rows.files] if Path(source).is_dir() else [name]
            for block in _blocks(rows):
                yield replace(_answered(model, block, reading, wishes, first, name), form=form)
                first += len(block.x)
                if progress is not None and len(rows.x) > BLOCK:
                    progress("predicting", first, len(rows.x))
    if unseen is not None and unseen.counts and warn is not None:
        places = ", ".join(NAME if str(source) == STDIN else str(source) for source in sources)
        warn("\n".join(unseen.notes(places)))


def _blocks(rows: Rows) -> Iterator[Rows]:
    for start in range(0, len(rows.x), BLOCK):
        part = slice(start, start + BLOCK)
        kept = {name: [_plain(cell) for cell in values[part].to_pylist()] for name, values in rows.kept.items()}
        files = rows.files[part] if rows.files else None
        yield Rows(rows.x[part], files, kept, others=[x[part] for x in rows.others])


def _plain(value: Any) -> Any:
    """A value as JSON has it too: dates, decimals and lists as text."""
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _answered(model: Predictor, rows: Rows, reading: Reading, wishes: Wishes, first: int, name: str | None) -> Answers:
    of_each = model.each(rows)
    if wishes.proba or wishes.top:
        shares = [reading.probabilities(outputs) for outputs in of_each]
        of_each = [outputs if p is None else p for outputs, p in zip(of_each, shares, strict=True)]
        if reading.scale == "logits":
            reading = replace(reading, scale="probabilities", threshold=_sigmoid(reading.threshold))
    outputs, spread = reading.average(of_each), np.std(of_each, axis=0, ddof=1) if len(of_each) > 1 else None
    files = rows.files or ([name] * len(outputs) if name else None)
    top = min(wishes.top, outputs.shape[-1]) if wishes.top else None
    numbers = wishes.proba is not False
    return Answers(reading, outputs, first, files, rows.kept, top, not rows.files, numbers, spread=spread)


def _wanted(model: Predictor, wishes: Wishes) -> Reading:
    """How outputs are to be read, as asked for. Raises UsageError for what these outputs cannot tell."""
    reading, shape = model.description.reading, model.output_shape
    if wishes.top is not None and (reading.kind != "classes" or len(shape) != 1):
        raise UsageError(f"--top chooses among classes, and {_kind(model)}; leave it out")
    if wishes.proba and (reading.kind == "values" or reading.scale == "scores"):
        raise UsageError(f"--proba asks for probabilities, and {_kind(model)}; leave it out")
    if wishes.threshold is None:
        return reading
    if reading.kind not in ("binary", "labels"):
        raise UsageError(f"--threshold sets the probability for yes, and {_kind(model)}; leave it out")
    if reading.scale == "scores":
        return replace(reading, threshold=wishes.threshold)
    if not 0 <= wishes.threshold <= 1:
        raise UsageError(f"--threshold {wishes.threshold:g}: expected a probability from 0 to 1")
    return replace(reading, threshold=_logit(wishes.threshold) if reading.scale == "logits" else wishes.threshold)


def _kind(model: Predictor) -> str:
    reading = model.description.reading
    kinds = {
        "values": "the outputs of this model are values",
        "binary": "this model answers one question with yes or no",
        "labels": "each output of this model answers a question of its own",
        "classes": "the outputs of this model are one class each",
    }
    if len(model.output_shape) > 1 and reading.kind == "classes":
        return "this model names a class in every step"
    scores = "; they are scores" if reading.scale == "scores" and reading.kind != "values" else ""
    return kinds[reading.kind] + scores


def _logit(p: float) -> float:
    return math.log(p / (1 - p)) if 0 < p < 1 else math.copysign(math.inf, p - 0.5)


def _sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z > -700 else 0.0
